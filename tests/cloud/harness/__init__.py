"""Proves what `cais infra` renders, without an AWS account: see tests/cloud/README.md."""
