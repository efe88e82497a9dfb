{{/* The name of the chart, or what nameOverride says. */}}
{{- define "endpoints-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
The name of all objects: the release's, with the chart's behind it unless it is in there already.
The Go version's chart has the same rule: its objects are upgraded in place.
*/}}
{{- define "endpoints-operator.fullname" -}}
{{- $name := include "endpoints-operator.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Known to the selector of the Deployment, which cannot be changed. */}}
{{- define "endpoints-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "endpoints-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "endpoints-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "endpoints-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "endpoints-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "endpoints-operator.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "endpoints-operator.leaseName" -}}
{{- default "endpoints-operator" .Values.leaderElection.leaseName }}
{{- end }}

{{- define "endpoints-operator.image" -}}
{{- with .Values.image }}
{{- $tag := default (printf "v%s" $.Chart.AppVersion) .tag }}
{{- $name := printf "%s/%s:%s" .repository .image $tag }}
{{- if .registry }}{{ printf "%s/%s" (trimSuffix "/" .registry) $name }}{{ else }}{{ $name }}{{ end }}
{{- end }}
{{- end }}

{{/* What every pod of ours has in common: who it is, and what it may not. */}}
{{- define "endpoints-operator.podBasics" -}}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "endpoints-operator.containerBasics" -}}
image: {{ include "endpoints-operator.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{- end }}
