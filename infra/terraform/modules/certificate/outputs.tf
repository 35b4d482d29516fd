# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "arn" {
  description = "The certificate, once it is valid."
  value       = aws_acm_certificate_validation.this.certificate_arn
}
