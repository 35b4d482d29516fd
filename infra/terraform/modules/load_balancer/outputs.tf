# Rendered by `cais infra terraform` from the Compose file; changes belong there.

output "arn" {
  description = "The load balancer."
  value       = aws_lb.this.arn
}

output "arn_suffix" {
  description = "Its name in CloudWatch."
  value       = aws_lb.this.arn_suffix
}

output "dns_name" {
  description = "Its address."
  value       = aws_lb.this.dns_name
}

output "zone_id" {
  description = "The zone of its address, for aliases."
  value       = aws_lb.this.zone_id
}

output "security_group_id" {
  description = "Its security group."
  value       = aws_security_group.this.id
}
