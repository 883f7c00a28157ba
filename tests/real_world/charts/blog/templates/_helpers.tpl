{{- define "blog.databaseName" -}}
{{- include "common.fullname" (merge (dict "Chart" (dict "Name" "database") "Values" .Values.database) (pick . "Release")) -}}
{{- end -}}
{{- define "blog.serviceAccount" -}}
{{- ternary (default (include "common.fullname" .) .Values.serviceAccount.name) "default" .Values.serviceAccount.create -}}
{{- end -}}
