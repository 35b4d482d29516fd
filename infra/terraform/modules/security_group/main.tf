# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# A security group that lets nothing in, and out only to the named ports of the internet. Who may talk
# to whom is said by connections.

resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:it is attached by the module that gets its id
  name        = var.name
  description = var.description
  vpc_id      = var.vpc_id
  tags        = { Name = var.name }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_egress_rule" "internet" {
  for_each = toset(var.egress_ports)

  security_group_id = aws_security_group.this.id
  description       = "Port ${each.value} anywhere"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}
