# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "arn" {
  description = "The provider."
  value       = aws_iam_openid_connect_provider.this.arn
}
