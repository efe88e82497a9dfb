#!/usr/bin/env bash
# Pushes the images in dist/release/ to $REGISTRY, as $REGISTRY_USER with $REGISTRY_PASSWORD: the container
# image with zstd and with gzip, and the cluster image of each architecture under one tag.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${REGISTRY:?must name the host of a registry}" "${REGISTRY_USER:?}" "${REGISTRY_PASSWORD:?}"

tag=v$(node -p "require('./package.json').version")
owner=$REGISTRY/labring
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs

skopeo login --username "$REGISTRY_USER" --password-stdin "$REGISTRY" <<<"$REGISTRY_PASSWORD"
for suffix in '' -gzip; do
  skopeo copy --all "oci-archive:dist/release/endpoints-operator-controller-$tag$suffix.oci.tar" \
    "docker://$owner/endpoints-operator-controller:$tag$suffix"
done

cluster=$owner/endpoints-operator:$tag
buildah manifest create "$cluster"
for arch in amd64 arm64; do
  skopeo copy "oci-archive:dist/release/endpoints-operator-$tag-sealos-$arch.oci.tar" \
    "docker://$cluster-$arch"
  buildah manifest add "$cluster" "docker://$cluster-$arch"
done
buildah manifest push --all "$cluster" "docker://$cluster"
