# The image with Docker: `docker build -t labring/endpoints-operator-controller .`, for one architecture
# or, by buildx, for several. `bun run image` needs no daemon and makes it 5 MB smaller (deploy/IMAGE.md).

FROM --platform=$BUILDPLATFORM node:22-bookworm AS build
ARG TARGETARCH
WORKDIR /src
COPY . .
# Bun of the version in package.json; all files of the image, glibc of Debian among them.
RUN npx --yes "bun@$(node -p "require('./package.json').devDependencies.bun")" \
    run image --rootfs /rootfs --arch "$TARGETARCH"

FROM scratch
COPY --from=build /rootfs/ /
# A number, so that `runAsNonRoot` can tell. Any other one works, too.
USER 65532:65532
ENV PATH=/
WORKDIR /
EXPOSE 8080 9090
ENTRYPOINT ["/endpoints-operator"]
