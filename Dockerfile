# The Action's image: one static binary and nothing else. No shell, no package manager, no certificates of its own
# (they are compiled in), so that nothing but Harbor Pilot can be run in it.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# A binary for `FROM scratch` must not look for a libc: glibc is linked in. `--target` keeps the flags away from build
# scripts and procedural macros, which can't be built statically. Without the default features there is no simulator
# and no demo in the image. (scripts/build-image runs these same lines outside of Docker.)
#
# For size: packed relocations are a tenth of the plain ones; functions that came out alike are kept once (`--icf`, which
# takes Rust's own linker, found by `-B`); and nobody unwinds a stack in what is published (scripts/container/no-unwinding.ld).
# For the same bytes wherever it is built: the folders' names are not in it.
#
# The binary tells what it was built from: `cargo audit bin harbor-pilot`. cargo-auditable is named as the compiler's
# wrapper, which is what `cargo auditable build` would do with its whole path; and that path, wherever it is installed,
# would be part of our crates' hashes and so change the bytes.
RUN cargo install --quiet --locked cargo-auditable@0.7.7
RUN target="$(uname -m)-unknown-linux-gnu" \
    && RUSTFLAGS="-C target-feature=+crt-static -C force-unwind-tables=no \
         -C link-arg=-B$(rustc --print sysroot)/lib/rustlib/$target/bin/gcc-ld -C link-arg=-fuse-ld=lld \
         -C link-arg=-Wl,-z,pack-relative-relocs -C link-arg=-Wl,--icf=all -C link-arg=-Wl,--no-eh-frame-hdr \
         -C link-arg=-Wl,-T,scripts/container/no-unwinding.ld \
         --remap-path-prefix=$CARGO_HOME=/cargo --remap-path-prefix=$PWD=/src" \
    && export RUSTFLAGS RUSTC_WORKSPACE_WRAPPER=cargo-auditable \
    && export CARGO_AUDITABLE_ORIG_ARGS='{"offline":false,"locked":true,"frozen":false,"config":[]}' \
    && cargo build --profile image --locked --package cli --bin harbor-pilot --no-default-features --target "$target"
# The runner starts the post step by its own path, and that name is how the program knows it.
RUN mkdir -p target/image-files \
    && cp "target/$(uname -m)-unknown-linux-gnu/image/harbor-pilot" target/image-files/harbor-pilot \
    && ln -s harbor-pilot target/image-files/harbor-pilot-post

FROM scratch
LABEL org.opencontainers.image.title="Harbor Pilot" \
      org.opencontainers.image.description="Runs one-off production migrations on DigitalOcean App Platform" \
      org.opencontainers.image.source="https://github.com/harbor-pilot/harbor-pilot" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /src/target/image-files/ /
# As a list: the program is the container's first process and gets the runner's signals itself, with no shell between.
# No USER: the runner's own folders can only be reached as root, so the program drops its rights itself.
ENTRYPOINT ["/harbor-pilot", "action"]
