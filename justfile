# The commands of this house, for those who have `just`; every line can be typed by hand as well.

# The same folder as start.sh and .ci/run use, so that nothing is built twice.
export CARGO_TARGET_DIR := env("CARGO_TARGET_DIR", home_directory() / ".cache/cais/target")

# Show this list.
default:
    @just --list

# What CI runs, without installing anything.
check:
    .ci/run --no-install

# All tests, or those of what follows, say `just test -p cais-engine`.
test *words:
    ./start.sh test {{ words }}

fmt:
    cargo fmt --all

clippy:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The API documentation; a broken link is an error.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Licences, sources and advisories of the dependencies; needs cargo-deny and, for advisories, the network.
deny:
    cargo deny --locked check

# The example stack.
up *words:
    ./start.sh up {{ words }}

down:
    ./start.sh down

# The engine's properties over a million sequences instead of CI's thousands.
proof-engine sequences="1000000":
    CAIS_SEQUENCES={{ sequences }} cargo test --release -p cais-engine --locked

# Take over the golden files that a change was meant to alter; read the diff before you commit it.
bless *words:
    CAIS_BLESS=1 INSTA_UPDATE=always cargo test --workspace --locked {{ words }}
