{{- /* RELEASE-plateau, or what the user calls it; short enough for what is added to it (-coordinator-HASH, an index, five random characters). */ -}}
{{- define "plateau.name" -}}
{{- $name := .Values.nameOverride | default "plateau" -}}
{{- .Values.fullnameOverride | default (printf "%s-%s" .Release.Name $name) | trunc 38 | trimSuffix "-" -}}
{{- end -}}

{{- /* A Job cannot be changed once it exists, so a changed run gets another name: the plan, and the Jobs without the few fields that the API lets change. */ -}}
{{- define "plateau.hash" -}}
{{- $free := list "activeDeadlineSeconds" "ttlSecondsAfterFinished" "backoffLimit" -}}
{{- $jobs := list (include "plateau.coordinatorJobSpec" .) -}}
{{- if eq .Values.mode "run" }}{{ $jobs = append $jobs (include "plateau.agentsJobSpec" .) }}{{ end -}}
{{- $same := list .Values.plan -}}
{{- range $jobs -}}
{{- $spec := fromYaml . -}}
{{- range $free }}{{ $_ := unset $spec . }}{{ end -}}
{{- $same = append $same $spec -}}
{{- end -}}
{{- $same | toJson | sha256sum | trunc 8 -}}
{{- end -}}

{{- define "plateau.coordinatorJob" -}}{{ include "plateau.name" . }}-coordinator-{{ include "plateau.hash" . }}{{- end -}}
{{- define "plateau.agentsJob" -}}{{ include "plateau.name" . }}-agents-{{ include "plateau.hash" . }}{{- end -}}

{{- define "plateau.labels" -}}
app.kubernetes.io/name: plateau
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
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
{{- if eq .Values.mode "join" -}}
{{- printf "%s-%s" (include "plateau.fleet" .) (.Values.nameOverride | default "plateau") | trunc 38 | trimSuffix "-" -}}-coordinator
{{- else -}}
{{- include "plateau.name" . -}}-coordinator
{{- end -}}
{{- end -}}

{{- /* image of "agent", "coordinator" or "sim": (dict "root" . "image" .Values.image.agent) */ -}}
{{- define "plateau.image" -}}
{{- $registry := .root.Values.global.imageRegistry | default .root.Values.image.registry -}}
{{- $name := .image.repository -}}
{{- if $registry }}{{ $name = printf "%s/%s" (trimSuffix "/" $registry) $name }}{{ end -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion | replace "+" "_") -}}
{{- end -}}
{{- end -}}

{{- define "plateau.annotations" -}}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .Values.http.port | quote }}
prometheus.io/path: /metrics
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

{{- /* What the pods of all parts share: (dict "root" . "part" .Values.agent "component" "agent"). */ -}}
{{- define "plateau.podMetadata" -}}
labels:
  {{- include "plateau.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
  {{- with .partOf }}
  app.kubernetes.io/part-of: {{ . }}
  {{- end }}
  {{- range $k, $v := merge (dict) .part.podLabels .root.Values.podLabels }}
  {{ $k }}: {{ $v | quote }}
  {{- end }}
{{- $annotations := merge (dict) .part.podAnnotations .root.Values.podAnnotations }}
{{- if or .scraped $annotations }}
annotations:
  {{- if .scraped }}
  {{- include "plateau.annotations" .root | nindent 2 }}
  {{- end }}
  {{- range $k, $v := $annotations }}
  {{ $k }}: {{ $v | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "plateau.podSpec" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- /* early: before anything of the release exists, an account that it makes included */}}
{{- if not (and .early .root.Values.serviceAccount.create) }}
{{- with include "plateau.serviceAccount" .root }}
serviceAccountName: {{ . }}
{{- end }}
{{- end }}
{{- with .part.terminationGracePeriodSeconds }}
terminationGracePeriodSeconds: {{ . }}
{{- end }}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .part.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .part.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .part.hostNetwork }}
hostNetwork: true
{{- if not $.part.dnsPolicy }}
dnsPolicy: ClusterFirstWithHostNet
{{- end }}
{{- end }}
{{- with .part.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .part.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .part.initContainers }}
initContainers:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $leave := .part.tolerationSeconds }}
{{- if or .part.tolerations (not (kindIs "invalid" $leave)) }}
tolerations:
  {{- with .part.tolerations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- if not (kindIs "invalid" $leave) }}
  # a pod on a node that has gone is replaced after this time, not after the five minutes that are usual
  - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: {{ int $leave }}}
  - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: {{ int $leave }}}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "plateau.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "plateau.name" .) "") -}}
{{- end -}}

{{- /* Data sets that lie in the cluster: the volume, and where it is seen. */ -}}
{{- define "plateau.dataMount" -}}
{{- if .Values.data.volume }}
- {name: corpora, mountPath: {{ .Values.data.mountPath }}, readOnly: true}
{{- end }}
{{- end -}}
{{- define "plateau.dataVolume" -}}
{{- with .Values.data.volume }}
- name: corpora
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* What a person is told in the run's log: commands of this cluster, since those of plateau mean nothing in a pod. */ -}}
{{- define "plateau.agentsHint" -}}
kubectl -n {{ .Release.Namespace }} get pods -o wide -l app.kubernetes.io/instance={{ include "plateau.fleet" . }},app.kubernetes.io/component=agent
{{- end -}}
{{- define "plateau.resumeHint" -}}
{{- if .Values.persistence.enabled -}}
helm -n {{ .Release.Namespace }} upgrade {{ .Release.Name }} CHART --reuse-values --set coordinator.resume=$(RUN_FOLDER)
{{- else -}}
a new run; this one goes with its pod, since persistence.enabled is false
{{- end -}}
{{- end -}}

{{- define "plateau.env" -}}
{{- with .part.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "plateau.envFrom" -}}
{{- with .part.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Where the target, its metrics page and a proxy listen: ports of the plan's URLs, also of those that `--set target.url=…` puts in their place. */ -}}
{{- define "plateau.targetPorts" -}}
{{- $plan := fromYaml (.Values.plan | default "{}") -}}
{{- $target := $plan.target | default dict -}}
{{- $urls := list -}}
{{- range $key := list "url" "metrics_url" "proxy" -}}
{{- if kindIs "map" $target -}}
{{- $urls = append $urls (get $target $key | toString) -}}
{{- end -}}
{{- range $.Values.coordinator.args -}}
{{- $urls = append $urls (trimPrefix (printf "target.%s=" $key) (trimPrefix "--set=" .)) -}}
{{- end -}}
{{- end -}}
{{- $ports := list -}}
{{- range $urls -}}
{{- if regexMatch "^https?://" . -}}
{{- $host := regexReplaceAll "^[a-z]+://([^/?#]*@)?([^/?#]*).*$" . "${2}" -}}
{{- if regexMatch ":[0-9]+$" $host -}}
{{- $ports = append $ports (regexFind "[0-9]+$" $host) -}}
{{- else -}}
{{- $ports = append $ports (hasPrefix "https:" . | ternary "443" "80") -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range .Values.networkPolicy.podPorts -}}{{- $ports = append $ports (toString .) -}}{{- end -}}
{{- if not $ports -}}{{- $ports = list "80" "443" "8000" -}}{{- end -}}
{{- uniq $ports | sortAlpha | join "," -}}
{{- end -}}

{{- /* What no template below can repair is refused here, before anything is made. */ -}}
{{- define "plateau.validate" -}}
{{- $name := include "plateau.name" . -}}
{{- if not (regexMatch "^[a-z]([a-z0-9-]*[a-z0-9])?$" $name) -}}
{{- fail (printf "the name %q cannot name a Service: it must begin with a letter and hold only a-z, 0-9 and -. Choose another release name, or set fullnameOverride" $name) -}}
{{- end -}}
{{- if ne .Values.mode "fleet" -}}
{{- if and (not .Values.keys.secretName) (not .Values.insecure) -}}
{{- fail "no keys: set keys.secretName (made by plateau keys), or insecure: true for a control plane without authentication" -}}
{{- end -}}
{{- if not .Values.planConfigMap -}}
{{- $plan := fromYaml (required "plan is empty: --set-file plan=plan.yaml" .Values.plan) -}}
{{- with $plan.Error -}}
{{- $text := $.Values.plan | trim -}}
{{- if contains "cannot unmarshal" . -}}{{- fail (printf "plan is the text of a plan file, not %q: --set-file plan=plan.yaml" (trunc 40 $text)) -}}{{- end -}}
{{- fail (printf "the plan is no YAML: %s" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if eq (int .Values.http.port) (int .Values.coordinator.port) -}}
{{- fail (printf "http.port and coordinator.port are both %d: the coordinator's pod listens on each" (int .Values.http.port)) -}}
{{- end -}}
{{- if and .Values.schedule (ne .Values.mode "run") -}}
{{- fail "schedule goes with mode: run" -}}
{{- end -}}
{{- if eq .Values.mode "join" -}}
{{- $fleet := include "plateau.fleet" . -}}
{{- range (lookup "batch/v1" "Job" .Release.Namespace "").items -}}
{{- $labels := .metadata.labels | default dict -}}
{{- $status := .status | default dict -}}
{{- if and (eq (get $labels "app.kubernetes.io/component") "coordinator") (eq (get $labels "app.kubernetes.io/part-of") $fleet) (ne (get $labels "app.kubernetes.io/instance") $.Release.Name) (gt (int $status.active) 0) -}}
{{- fail (printf "the fleet %s is in use by the release %s (Job %s): wait until its run has ended and its folder was copied, or remove it (helm uninstall %s)" $fleet (get $labels "app.kubernetes.io/instance") .metadata.name (get $labels "app.kubernetes.io/instance")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* An affinity, and that no pod with these labels is near: (dict "affinity" AFFINITY "key" TOPOLOGY "from" LABELS). */ -}}
{{- define "plateau.apart" -}}
{{- $affinity := deepCopy .affinity -}}
{{- $anti := $affinity.podAntiAffinity | default dict -}}
{{- $term := dict "topologyKey" .key "labelSelector" (dict "matchLabels" .from) -}}
{{- $hard := append ($anti.requiredDuringSchedulingIgnoredDuringExecution | default list) $term -}}
{{- $_ := set $anti "requiredDuringSchedulingIgnoredDuringExecution" $hard -}}
{{- set $affinity "podAntiAffinity" $anti | toYaml -}}
{{- end -}}

{{- define "plateau.agentAffinity" -}}
{{- $others := dict "app.kubernetes.io/name" "plateau" "app.kubernetes.io/component" "agent" -}}
{{- if eq .Values.agent.spread "hard" -}}
{{- include "plateau.apart" (dict "affinity" .Values.agent.affinity "key" "kubernetes.io/hostname" "from" $others) -}}
{{- else if .Values.agent.affinity -}}
{{- toYaml .Values.agent.affinity -}}
{{- else -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- toYaml $others | nindent 12 }}
{{- end -}}
{{- end -}}

{{- define "plateau.agentPod" -}}
metadata:
  {{- include "plateau.podMetadata" (dict "root" . "part" .Values.agent "component" "agent" "partOf" (include "plateau.fleet" .) "scraped" true) | nindent 2 }}
spec:
  restartPolicy: {{ .restart }}
  {{- include "plateau.podSpec" (dict "root" . "part" .Values.agent) | nindent 2 }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "plateau.selector" . | nindent 10 }}
          app.kubernetes.io/component: agent
  affinity:
    {{- include "plateau.agentAffinity" . | nindent 4 }}
  containers:
    - name: agent
      image: {{ include "plateau.image" (dict "root" . "image" .Values.image.agent) | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      terminationMessagePolicy: FallbackToLogsOnError
      args:
        - --connect=tcp://{{ include "plateau.coordinatorHost" . }}:{{ .Values.coordinator.port }}
        - --name=$(POD_NAME)
        - --http=*:{{ .Values.http.port }}
        {{- if .Values.data.volume }}
        - --data={{ .Values.data.mountPath }}
        {{- end }}
        - --wait={{ .Values.agent.wait | default (.Values.persistence.enabled | ternary "30m" "10m") }}
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
        {{- with include "plateau.env" (dict "part" .Values.agent) }}{{ . | trim | nindent 8 }}{{- end }}
      {{- with include "plateau.envFrom" (dict "part" .Values.agent) }}{{ . | trim | nindent 6 }}{{- end }}
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
        {{- toYaml .Values.securityContext | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- with include "plateau.dataMount" . }}{{ . | trim | nindent 8 }}{{- end }}
        {{- if .Values.keys.secretName }}
        - {name: keys, mountPath: /keys, readOnly: true}
        {{- end }}
        {{- range $i, $name := .Values.secrets }}
        - {name: secret-{{ $i }}, mountPath: {{ printf "/secrets/%s" $name | quote }}, readOnly: true}
        {{- end }}
        {{- with .Values.agent.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with .Values.agent.sidecars }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: {{ .Values.agent.tmpSize }}}
    {{- with include "plateau.dataVolume" . }}{{ . | trim | nindent 4 }}{{- end }}
    {{- if .Values.keys.secretName }}
    - name: keys
      secret: {secretName: {{ .Values.keys.secretName }}, defaultMode: 0400, items: [{key: agent.key, path: agent.key}, {key: coordinator.pub, path: coordinator.pub}]}
    {{- end }}
    {{- range $i, $name := .Values.secrets }}
    - name: secret-{{ $i }} # not by its own name, which may have a dot
      secret: {secretName: {{ $name | quote }}, defaultMode: 0400}
    {{- end }}
    {{- with .Values.agent.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
