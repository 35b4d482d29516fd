# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "name" {
  description = "The bucket."
  value       = aws_s3_bucket.this.id
}
