# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "id" {
  description = "The security group."
  value       = aws_security_group.this.id
}
