{{- /* What the cluster's Secret has, or else the value that was given, or else a new one. */ -}}
{{- define "common.password" -}}
{{- $data := (lookup "v1" "Secret" .context.Release.Namespace .secret).data | default dict -}}
{{- if hasKey $data .key -}}
{{- index $data .key -}}
{{- else if .given -}}
{{- .given | toString | b64enc -}}
{{- else -}}
{{- randAlphaNum 16 | b64enc -}}
{{- end -}}
{{- end -}}
