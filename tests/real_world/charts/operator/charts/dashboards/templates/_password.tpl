{{- define "dashboards.password" -}}
{{- $secret := lookup "v1" "Secret" .Release.Namespace (printf "%s-dashboards" .Release.Name) -}}
{{- if $secret -}}
{{- index $secret "data" "admin-password" -}}
{{- else -}}
{{- randAlphaNum 40 | b64enc -}}
{{- end -}}
{{- end -}}
