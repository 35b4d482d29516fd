# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "key_arn" {
  description = "The key."
  value       = aws_kms_key.this.arn
}
