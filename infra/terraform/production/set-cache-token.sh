#!/bin/sh
# Rendered by `cais infra terraform` from the Compose file; changes belong there.
# Gives the cache a new password and puts it, with the cache's address, into Secrets Manager. Nothing of it is printed,
# stands in an argument list or in a state: the commands read it from standard input.
set -eu
export AWS_REGION=sa-east-1 AWS_PAGER=

rotate() {
  group=$1 secret=$2
  token=$(aws secretsmanager get-random-password --password-length 64 --exclude-punctuation --query RandomPassword --output text)
  host=$(aws elasticache describe-replication-groups --replication-group-id "$group" \
    --query 'ReplicationGroups[0].NodeGroups[0].PrimaryEndpoint.Address' --output text)
  # The old password stays good until SET, so that running tasks keep their connections.
  for strategy in ROTATE SET; do
    aws elasticache wait replication-group-available --replication-group-id "$group"
    printf '{"ReplicationGroupId":"%s","AuthToken":"%s","AuthTokenUpdateStrategy":"%s","ApplyImmediately":true}' \
      "$group" "$token" "$strategy" |
      aws elasticache modify-replication-group --cli-input-json file:///dev/stdin >/dev/null
  done
  aws elasticache wait replication-group-available --replication-group-id "$group"
  printf '{"host":"%s","port":"6379","address":"%s:6379","password":"%s","url":"rediss://:%s@%s:6379"}' \
    "$host" "$host" "$token" "$token" "$host" |
    aws secretsmanager put-secret-value --secret-id "$secret" --secret-string file:///dev/stdin >/dev/null
  echo "$group: the new password is in $secret"
}

rotate cais-production-redis cais/production/redis-cache
