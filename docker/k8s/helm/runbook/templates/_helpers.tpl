{{- define "runbook.name" -}}
{{- if contains "runbook" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-runbook" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "runbook.selector" -}}
app.kubernetes.io/name: runbook
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "runbook.labels" -}}
{{ include "runbook.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "runbook.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* A value of a variable. Large numbers are not written as 1e+06. */}}
{{- define "runbook.text" -}}
{{- if kindIs "string" . }}{{ . | quote }}{{ else }}{{ . | toJson | quote }}{{ end -}}
{{- end }}

{{/* What a server needs to stop after SIGTERM: it kills and records what has not ended after DRAIN_SECONDS. */}}
{{- define "runbook.stopSeconds" -}}
{{ add .Values.drainSeconds 15 }}
{{- end }}

{{- define "runbook.graceSeconds" -}}
{{ add .Values.preStopSeconds (include "runbook.stopSeconds" .) }}
{{- end }}

{{- define "runbook.secret" -}}
{{ .Values.secrets.existingSecret | default (include "runbook.name" .) }}
{{- end }}

{{- define "runbook.usesPostgres" -}}
{{- if .Values.secrets.existingSecret }}{{ if .Values.secrets.hasDatabaseUrl }}yes{{ end }}{{ else if .Values.secrets.databaseUrl }}yes{{ end -}}
{{- end }}

{{- define "runbook.usesRedis" -}}
{{- if .Values.secrets.existingSecret }}{{ if .Values.secrets.hasRedisUrl }}yes{{ end }}{{ else if .Values.secrets.redisUrl }}yes{{ end -}}
{{- end }}

{{- define "runbook.claim" -}}
{{ .Values.persistence.existingClaim | default (include "runbook.name" .) }}
{{- end }}

{{- define "runbook.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "runbook.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "runbook.runbooksVolume" -}}
{{- if ne .Values.runbooks.from "image" }}
- name: runbooks
  configMap: {name: {{ if eq .Values.runbooks.from "configMap" }}{{ .Values.runbooks.configMap }}{{ else }}{{ include "runbook.name" . }}-runbooks{{ end }}}
{{- end }}
{{- end }}

{{/* The pod of a Job or CronJob. Takes a dict of the chart's context (root) and the job. */}}
{{- define "runbook.jobSpec" -}}
# A runbook is never executed again by itself: what it did before it failed is for you to judge.
backoffLimit: 0
activeDeadlineSeconds: {{ .job.activeDeadlineSeconds | default 900 }}
ttlSecondsAfterFinished: {{ hasKey .job "ttlSecondsAfterFinished" | ternary .job.ttlSecondsAfterFinished 86400 }}
template:
  metadata:
    labels:
      app.kubernetes.io/name: runbook-job
      app.kubernetes.io/instance: {{ .root.Release.Name }}
  spec:
    restartPolicy: Never
    serviceAccountName: {{ include "runbook.name" .root }}
    automountServiceAccountToken: false
    enableServiceLinks: false
    # SIGTERM cancels the run: the script gets SIGINT, after 7.5 seconds SIGTERM, and after 10 seconds SIGKILL.
    terminationGracePeriodSeconds: 30
    securityContext: {{- include "runbook.podSecurity" .root | nindent 6 }}
    {{- with .root.Values.image.pullSecrets }}
    imagePullSecrets:
      {{- range . }}
      - name: {{ . }}
      {{- end }}
    {{- end }}
    containers:
      - name: runbook
        image: {{ include "runbook.image" .root | quote }}
        imagePullPolicy: {{ .root.Values.image.pullPolicy }}
        args: [runbook, execute, --runbook, {{ .job.runbook | quote }}]
        env:
          - {name: HISTORY, value: store}
          - {name: EXECUTION_DIR, value: /runs}
          {{- range $name, $value := .job.inputs }}
          - {name: {{ $name }}, value: {{ include "runbook.text" $value }}}
          {{- end }}
        securityContext: {{- include "runbook.containerSecurity" .root | nindent 10 }}
        resources:
          requests: {cpu: 100m, memory: 128Mi}
          limits: {memory: 512Mi, ephemeral-storage: 1Gi}
        volumeMounts:
          - {name: data, mountPath: /data}
          - {name: tmp, mountPath: /tmp}
          - {name: runs, mountPath: /runs}
          {{- if ne .root.Values.runbooks.from "image" }}
          - {name: runbooks, mountPath: /runbooks, readOnly: true}
          {{- end }}
          {{- if .job.inputsSecret }}
          - {name: secrets, mountPath: /run/secrets, readOnly: true}
          {{- end }}
          {{- if .job.connectionsSecret }}
          - {name: connections, mountPath: /run/connections, readOnly: true}
          {{- end }}
    volumes:
      - {name: data, emptyDir: {}}
      - {name: tmp, emptyDir: {sizeLimit: 64Mi}}
      - {name: runs, emptyDir: {sizeLimit: {{ .root.Values.runsSize }}}}
      {{- include "runbook.runbooksVolume" .root | nindent 6 }}
      {{- with .job.inputsSecret }}
      - name: secrets
        secret: {secretName: {{ . }}, defaultMode: 0440}
      {{- end }}
      {{- with .job.connectionsSecret }}
      - name: connections
        secret: {secretName: {{ . }}, defaultMode: 0440}
      {{- end }}
    {{- with .root.Values.nodeSelector }}
    nodeSelector: {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .root.Values.tolerations }}
    tolerations: {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
