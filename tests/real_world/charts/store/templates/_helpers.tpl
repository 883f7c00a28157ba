{{- define "store.primary" -}}
{{- $full := include "common.fullname" . -}}
{{- ternary (printf "%s-primary" $full | trunc 63 | trimSuffix "-") $full (eq .Values.architecture "replication") -}}
{{- end -}}

{{- define "store.check" -}}
{{- if and (eq .Values.architecture "standalone") (gt (int .Values.replicas) 1) -}}
{{- fail "replicas needs architecture=replication" -}}
{{- end -}}
{{- end -}}

{{- /* Primary and read replicas have the same pods. */ -}}
{{- define "store.pod" -}}
{{- $top := .top -}}
metadata:
  name: {{ .name }}
  labels: {{- include "common.labels" $top | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
  annotations:
    checksum/configuration: {{ pick (include (print $top.Template.BasePath "/primary/configmap.yaml") $top | fromYaml) "data" | toYaml | sha256sum }}
spec:
  terminationGracePeriodSeconds: 1
  serviceAccountName: {{ include "common.fullname" $top }}
  automountServiceAccountToken: false
  hostNetwork: false
  hostIPC: false
  securityContext: {{- include "common.podSecurity" $top | nindent 4 }}
  affinity:
    podAntiAffinity: {{- include "common.antiAffinity" $top | nindent 6 }}
  containers:
    - name: store
      image: {{ include "common.image" $top }}
      args: [serve, "8080", /etc/store]
      env:
        - {name: DEBUG, value: {{ ternary "true" "false" $top.Values.image.debug | quote }}}
        - {name: STORE_USER, value: {{ $top.Values.auth.username | quote }}}
        - {name: STORE_PASSWORD_FILE, value: /secrets/password}
        - name: REPLICATION_PASSWORD
          valueFrom: {secretKeyRef: {name: {{ include "common.fullname" $top }}, key: replication-password}}
        - name: POD_IP
          valueFrom: {fieldRef: {fieldPath: status.podIP}}
      ports: [{name: http, containerPort: 8080}]
      securityContext: {{- include "common.containerSecurity" $top | nindent 8 }}
      startupProbe:
        exec: {command: [/bin/busybox, test, -s, /secrets/password]}
        periodSeconds: 1
        failureThreshold: 15
      {{- include "common.probes" $top | nindent 6 }}
      lifecycle:
        preStop: {exec: {command: [/bin/busybox, "true"]}}
      volumeMounts:
        - {name: config, mountPath: /etc/store}
        - {name: passwords, mountPath: /secrets}
        - {name: tls, mountPath: /certificates, readOnly: true}
        - {name: memory, mountPath: /dev/shm}
        - {name: data, mountPath: /data}
  volumes:
    - name: config
      configMap: {name: {{ include "common.fullname" $top }}-configuration}
    - name: passwords
      secret: {secretName: {{ include "common.fullname" $top }}}
    - name: tls
      {{- if $top.Values.tls.enabled }}
      secret: {secretName: {{ include "common.fullname" $top }}-crt, defaultMode: 288}
      {{- else }}
      emptyDir: {}
      {{- end }}
    - name: memory
      emptyDir: {medium: Memory, sizeLimit: 4Mi}
{{- end -}}

{{- define "store.claim" -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: {{ .Values.primary.persistence.size | quote }}}}
{{- end -}}
