{{- define "fairlead.namespace" -}}
{{ .Values.namespaceOverride | default .Release.Namespace }}
{{- end -}}
