# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "arn" {
  description = "The repository."
  value       = aws_ecr_repository.this.arn
}

output "name" {
  description = "Its name."
  value       = aws_ecr_repository.this.name
}

output "url" {
  description = "Where images are pushed to."
  value       = aws_ecr_repository.this.repository_url
}
