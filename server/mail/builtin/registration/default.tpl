Hello {{ .Username }},

someone, most likely you, signed up{{ with .Scope }} for {{ . }}{{ end }} with this email address.
To confirm it, open this link and press the button:

{{ .ConfirmLink }}

The link works once and for 48 hours. If it wasn't you, do nothing.
