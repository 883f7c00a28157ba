{{- define "common.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1001
runAsGroup: 1001
fsGroup: 1001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "common.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
privileged: false
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "common.antiAffinity" -}}
preferredDuringSchedulingIgnoredDuringExecution:
  - weight: 1
    podAffinityTerm:
      topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels: {{- include "common.selector" . | nindent 10 }}
{{- end -}}

{{- define "common.probes" -}}
readinessProbe:
  httpGet: {path: /, port: http}
  periodSeconds: 1
livenessProbe:
  httpGet: {path: /, port: http}
  initialDelaySeconds: 10
resources:
  requests: {cpu: 5m, memory: 8Mi}
{{- end -}}

{{- define "common.socketProbe" -}}
readinessProbe:
  tcpSocket: {port: http}
  periodSeconds: 1
resources:
  requests: {cpu: 5m, memory: 8Mi}
{{- end -}}
