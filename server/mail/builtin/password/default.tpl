Hello {{ .Username }},

someone, most likely you, asked to set a new password{{ with .Scope }} for {{ . }}{{ end }}.
To choose one, open this link:

{{ .ResetLink }}

The link works once and for one hour. If it wasn't you, do nothing: your password stays as it is.
