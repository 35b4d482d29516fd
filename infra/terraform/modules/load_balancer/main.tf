# Rendered by `cais infra terraform` from the Compose file; changes belong there.

# The public load balancer.

resource "aws_security_group" "this" {
  name        = "${var.name}-load-balancer"
  description = "The public load balancer"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-load-balancer" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "public" {
  #checkov:skip=CKV_AWS_260:port 80 of a public load balancer; with a domain it only redirects to HTTPS
  for_each = toset(var.ports)

  security_group_id = aws_security_group.this.id
  description       = "Port ${each.value} from everybody"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

resource "aws_lb" "this" {
  #checkov:skip=CKV_AWS_150:deletion protection is on unless x-cais.aws.deletion_protection turns it off
  #checkov:skip=CKV2_AWS_20:the listeners are in a module of their own; with a domain, HTTP redirects to HTTPS
  #checkov:skip=CKV2_AWS_28:a web ACL is attached where x-cais.aws.waf names one
  name                       = var.name
  load_balancer_type         = "application"
  subnets                    = var.subnet_ids
  security_groups            = [aws_security_group.this.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection
  # Services keep their connections longer, so that the side that closes first is this one.
  idle_timeout = 60

  access_logs {
    bucket  = var.log_bucket
    enabled = true
  }
}
