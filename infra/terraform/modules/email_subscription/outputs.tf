# Rendered by `cais infra terraform` from the Compose file; changes belong there.
