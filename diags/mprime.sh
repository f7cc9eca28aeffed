#!/bin/sh
# A stand-in for the torture test of mprime; it is not mprime and loads a machine far less. What it does is real:
# Lucas-Lehmer tests of Mersenne numbers with limbs of 24 bits, each final residue compared with the known one.
# It never sets a voltage or a frequency.
set -u
ulimit -c 0 2>/dev/null

usage() {
    cat <<'TEXT'
usage: mprime.sh [--tests N] [--seed N] [--inject-fault N]
  --tests N         Lucas-Lehmer tests to run (default 10: each exponent once)
  --seed N          exponent to begin with (default 1)
  --inject-fault N  for tests of the test: flip one bit after squaring N (from 1) of the first test
exit: 0 all residues right, 1 a residue was wrong, 64 bad usage
TEXT
}

bad_usage() {
    echo "mprime stand-in: $1" >&2
    usage >&2
    exit 64
}

# A plain decimal number between $3 and $4, or bad usage. $1 is the option, $2 its value.
number() {
    case $2 in
        '' | *[!0-9]* | 0?* | ???????????*) bad_usage "$1 needs a whole number, not '$2'" ;;
    esac
    [ "$2" -ge "$3" ] && [ "$2" -le "$4" ] || bad_usage "$1 must be $3 to $4, not $2"
}

tests=10 seed=1 inject=0
while [ $# -gt 0 ]; do
    case $1 in
        --tests | --seed | --inject-fault) [ $# -ge 2 ] || bad_usage "$1 needs a value" ;;
    esac
    case $1 in
        --tests) number "$1" "$2" 1 1000000; tests=$2; shift ;;
        --seed) number "$1" "$2" 0 2147483647; seed=$2; shift ;;
        --inject-fault) number "$1" "$2" 1 1000000; inject=$2; shift ;;
        --help) usage; exit 0 ;;
        *) bad_usage "unknown argument '$1'" ;;
    esac
    shift
done

echo 'mprime stand-in: this is NOT mprime; small Lucas-Lehmer tests that check themselves'

# exec: a signal meets the work itself. All numbers stay below 2^53, where awk's arithmetic is exact:
# limbs below 2^24, so at most 31 products of two of them in a column, plus a carry.
exec awk -v tests="$tests" -v seed="$seed" -v inject="$inject" '
# s = s * s - 2 modulo 2^p - 1, s in n limbs, least first.
function square_less_two(    i, j, column, carry, high, low, borrow) {
    carry = 0
    for (i = 0; i < 2 * n; i++) {
        column = carry
        for (j = i < n ? 0 : i - n + 1; j < n && j <= i; j++) column += s[j] * s[i - j]
        carry = int(column / LIMB)
        wide[i] = column - carry * LIMB
    }
    # Twice folded: what stands above bit p is worth as much at bit 0.
    wide[2 * n] = 0
    carry = 0
    for (i = 0; i < n; i++) {
        low = wide[i]
        if (i == n - 1) low = low % top
        high = int(wide[n - 1 + i] / top) + (wide[n + i] % top) * (LIMB / top)
        column = low + high + carry
        carry = int(column / LIMB)
        s[i] = column - carry * LIMB
    }
    carry = carry * (LIMB / top) + int(s[n - 1] / top)
    s[n - 1] = s[n - 1] % top
    for (i = 0; carry > 0; i = (i + 1) % n) {
        s[i] += carry
        carry = 0
        if (i == n - 1 && s[i] >= top) { s[i] -= top; carry = 1 }
        else if (i < n - 1 && s[i] >= LIMB) { s[i] -= LIMB; carry = 1 }
    }
    borrow = 2
    for (i = 0; i < n && borrow > 0; i++) {
        s[i] -= borrow
        borrow = 0
        if (s[i] < 0) { s[i] += i == n - 1 ? top : LIMB; borrow = 1 }
    }
    if (borrow) { # below zero: the modulus was added, which is 2^p less one
        for (i = 0; i < n && borrow > 0; i++) {
            s[i] -= borrow
            borrow = 0
            if (s[i] < 0) { s[i] += i == n - 1 ? top : LIMB; borrow = 1 }
        }
    }
}

# The low 48 bits, the modulus itself counted as zero.
function residue(    i, full) {
    full = 1
    for (i = 0; i < n; i++) if (s[i] != (i == n - 1 ? top : LIMB) - 1) full = 0
    return full ? "000000000000" : sprintf("%06x%06x", s[1], s[0])
}

BEGIN {
    LIMB = 16777216
    count = split("61 67 89 107 127 131 167 257 359 521", exponent, " ")
    split("000000000000 24ee8ae3b2c2 000000000000 000000000000 000000000000 " \
        "8d1bf6df73b7 c91e572b2814 c59710433aa8 c2ad839527b8 000000000000", known, " ")
    for (t = 0; t < tests; t++) {
        k = (seed + t) % count + 1
        p = exponent[k]
        n = int((p + 23) / 24)
        top = 1
        for (i = 24 * (n - 1); i < p; i++) top *= 2
        for (i = 0; i < n; i++) s[i] = 0
        s[0] = 4
        for (step = 1; step <= p - 2; step++) {
            square_less_two()
            if (t == 0 && step == inject) s[0] += s[0] % 2 ? -1 : 1
        }
        squarings += p - 2
        got = residue()
        if (got != known[k]) {
            printf "MISMATCH M%d: residue %s, known %s\n", p, got, known[k]
            print "mprime stand-in: FAILED"
            exit 1
        }
        printf "M%d is %s, residue %s OK\n", p, got ~ /^0+$/ ? "prime" : "composite", got
        fflush()
    }
    printf "squarings=%d\n", squarings
    printf "tests=%d\n", t
    print "self-test passed: all residues as known"
}'
