#!/bin/sh
# Plants each mistake of tests/mutants in a copy of the crate and runs its tests: every one must be
# noticed. Usage: tests/mutants.sh [NAME…]; the tests' number of sequences is CAIS_SEQUENCES, as
# everywhere. Exits 1 when a mistake survives or a patch does not apply any more.
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
root=$(cd "$here/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
: "${CARGO_TARGET_DIR:=$root/target/mutants}"
export CARGO_TARGET_DIR RUST_BACKTRACE=0

# A workspace of the two crates that matter.
mkdir -p "$copy/crates/cais-engine"
cp -R "$root/crates/cais-model" "$copy/crates/"
cp -R "$here/." "$copy/crates/cais-engine/"
cp "$root/Cargo.lock" "$copy/"
sed -e 's|^members = .*|members = ["crates/cais-model", "crates/cais-engine"]|' \
    -e 's|^default-members = .*|default-members = ["crates/cais-engine"]|' \
    -e '/^cais-cache = /d; /^cais-gateway = /d; /^common = /d' \
    "$root/Cargo.toml" >"$copy/Cargo.toml"

tests() {
    # The cheapest first: what a unit test or a story notices needs no search.
    (cd "$copy" && cargo test --offline --quiet -p cais-engine --lib) &&
        (cd "$copy" && cargo test --offline --quiet -p cais-engine --test engine -- --skip sequences --skip exhaustive) &&
        (cd "$copy" && cargo test --offline --quiet -p cais-engine --test engine -- sequences exhaustive)
}

if ! tests >"$copy/out" 2>&1; then
    cat "$copy/out"
    echo "the tests fail without any mistake planted" >&2
    exit 1
fi

killed=0
survived=0
for patch in "$here"/tests/mutants/*.patch; do
    name=$(basename "$patch" .patch)
    if [ $# -gt 0 ] && ! printf '%s\n' "$@" | grep -qx -e "$name"; then
        continue
    fi
    rm -rf "$copy/crates/cais-engine/src"
    cp -R "$here/src" "$copy/crates/cais-engine/"
    if ! patch --quiet --directory "$copy/crates/cais-engine" --strip 1 <"$patch" >"$copy/out" 2>&1; then
        echo "does not apply  $name"
        survived=$((survived + 1))
        continue
    fi
    # Two files of one second look alike to cargo.
    find "$copy/crates/cais-engine/src" -name '*.rs' -exec touch {} +
    if tests >"$copy/out" 2>&1; then
        echo "SURVIVED        $name"
        survived=$((survived + 1))
    elif grep -q '^error\(\[\|: could not compile\)' "$copy/out"; then
        echo "does not build  $name"
        survived=$((survived + 1))
    else
        by=$(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p; s/^    \([a-z0-9_:]*::[a-z0-9_]*\)$/\1/p' "$copy/out" | sort -u | head -3 | tr '\n' ' ')
        echo "killed          $name  ($by)"
        killed=$((killed + 1))
    fi
done
echo "$killed killed, $survived survived"
[ "$survived" -eq 0 ]
