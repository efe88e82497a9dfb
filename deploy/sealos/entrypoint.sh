#!/usr/bin/env bash
# Installs endpoints-operator into the cluster of kubectl, or brings it up to date: run by `sealos run` on
# the first master, as often as one likes. By Helm where there is one, by the manifest otherwise.
set -euo pipefail
cd "$(dirname "$0")"

NAME=${NAME:-endpoints-operator}
NAMESPACE=${NAMESPACE:-kube-system}
# Words for helm, like: --set replicaCount=1 --set loglevel=2
HELM_OPTS=${HELM_OPTS:-}

fail() {
  echo "endpoints-operator: $*" >&2
  exit 1
}

# Who put the operator there: "Helm", "kubectl", or nothing.
manager() {
  local found
  found=$(kubectl --namespace "$NAMESPACE" get deployment "$NAME" --ignore-not-found \
    --output 'jsonpath={.metadata.name}/{.metadata.labels.app\.kubernetes\.io/managed-by}')
  case $found in
    '' | /) ;;
    */Helm) echo Helm ;;
    *) echo kubectl ;;
  esac
}

before=$(manager)
if command -v helm >/dev/null && [ "$before" != kubectl ]; then
  # Helm never upgrades what is in crds/.
  kubectl apply --server-side --force-conflicts --filename charts/endpoints-operator/crds/
  read -ra options <<<"$HELM_OPTS"
  helm upgrade --install "$NAME" charts/endpoints-operator --namespace "$NAMESPACE" \
    --create-namespace --skip-crds --set crds.install=false "${options[@]}"
  exit
fi

[ "$before" != Helm ] || fail "Helm installed it here: put helm on the PATH (sealos run labring/helm)"
[ -z "$HELM_OPTS" ] || fail "HELM_OPTS is for Helm, which did not install it or is not on the PATH"
[ "$NAME" = endpoints-operator ] || fail "the manifest has no other NAME than endpoints-operator"
[ "$NAMESPACE" = kube-system ] || fail "the manifest is for kube-system; another NAMESPACE needs helm"
kubectl apply --filename manifests/
