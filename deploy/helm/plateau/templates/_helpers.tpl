{{- define "plateau.name" -}}
{{- printf "%s-plateau" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "plateau.labels" -}}
app.kubernetes.io/name: plateau
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "plateau.selector" -}}
app.kubernetes.io/name: plateau
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* The release whose agents a coordinator uses: its own, or a fleet's. */ -}}
{{- define "plateau.fleet" -}}
{{- if eq .Values.mode "join" -}}{{ required "mode: join needs fleet: the release of the standing agents" .Values.fleet }}{{- else -}}{{ .Release.Name }}{{- end -}}
{{- end -}}

{{- define "plateau.coordinatorHost" -}}
{{- printf "%s-plateau" (include "plateau.fleet" .) | trunc 50 | trimSuffix "-" -}}-coordinator
{{- end -}}

{{- define "plateau.annotations" -}}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .Values.http.port | quote }}
prometheus.io/path: /metrics
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "plateau.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "plateau.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "plateau.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}

{{- define "plateau.agentPod" -}}
metadata:
  labels:
    {{- include "plateau.labels" . | nindent 4 }}
    app.kubernetes.io/component: agent
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    {{- include "plateau.annotations" . | nindent 4 }}
spec:
  restartPolicy: {{ .restart }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  # the last snapshot and the drain of open requests fit in this
  terminationGracePeriodSeconds: 60
  securityContext:
    {{- include "plateau.podSecurity" . | nindent 4 }}
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.agent.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.agent.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.agent.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: {{ eq .Values.agent.spread "hard" | ternary "DoNotSchedule" "ScheduleAnyway" }}
      labelSelector:
        matchLabels:
          {{- include "plateau.selector" . | nindent 10 }}
          app.kubernetes.io/component: agent
  affinity:
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          podAffinityTerm:
            topologyKey: kubernetes.io/hostname
            labelSelector:
              matchLabels:
                app.kubernetes.io/name: plateau
                app.kubernetes.io/component: agent
  containers:
    - name: agent
      image: {{ .Values.image.agent | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - --connect=tcp://{{ include "plateau.coordinatorHost" . }}:{{ .Values.coordinator.port }}
        - --name=$(POD_NAME)
        - --http=0.0.0.0:{{ .Values.http.port }}
        {{- if .Values.keys.secretName }}
        - --keys=/keys
        {{- end }}
        {{- if .forever }}
        - --stay
        {{- end }}
        {{- with .Values.agent.args }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      env:
        - name: POD_NAME
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
      ports:
        - {name: http, containerPort: {{ .Values.http.port }}}
      {{- include "plateau.probes" . | nindent 6 }}
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 2
        timeoutSeconds: 5
      resources:
        {{- toYaml .Values.agent.resources | nindent 8 }}
      securityContext:
        {{- include "plateau.containerSecurity" . | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- if .Values.keys.secretName }}
        - {name: keys, mountPath: /keys, readOnly: true}
        {{- end }}
        {{- range .Values.secrets }}
        - {name: secret-{{ . }}, mountPath: /secrets/{{ . }}, readOnly: true}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: 64Mi}
    {{- if .Values.keys.secretName }}
    - name: keys
      secret: {secretName: {{ .Values.keys.secretName }}, defaultMode: 0400, items: [{key: agent.key, path: agent.key}, {key: coordinator.pub, path: coordinator.pub}]}
    {{- end }}
    {{- range .Values.secrets }}
    - name: secret-{{ . }}
      secret: {secretName: {{ . }}, defaultMode: 0400}
    {{- end }}
{{- end -}}
