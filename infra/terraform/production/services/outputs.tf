# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "calendar_service" {
  description = "A service of the cluster."
  value       = module.calendar_service.name
}

output "clock_service" {
  description = "A service of the cluster."
  value       = module.clock_service.name
}

output "cluster_name" {
  description = "The cluster."
  value       = module.cluster.name
}

output "url" {
  description = "Where the stack answers."
  value       = "https://example.com"
}
