# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# One security group may call a port of another: a rule that lets out and a rule that lets in.

resource "aws_vpc_security_group_egress_rule" "this" {
  security_group_id            = var.from_security_group_id
  referenced_security_group_id = var.to_security_group_id
  description                  = var.description
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  security_group_id            = var.to_security_group_id
  referenced_security_group_id = var.from_security_group_id
  description                  = var.description
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
}
