# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "Subnets of the load balancer."
  value       = values(aws_subnet.public)[*].id
}

output "private_subnet_ids" {
  description = "Subnets of tasks and cache."
  value       = values(aws_subnet.private)[*].id
}

output "private_route_table_ids" {
  description = "Route tables of the private subnets."
  value       = values(aws_route_table.private)[*].id
}

output "s3_prefix_list_id" {
  description = "The addresses of S3, for security groups."
  value       = aws_vpc_endpoint.s3.prefix_list_id
}
