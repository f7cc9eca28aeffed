#!/bin/sh
# Integer self-check: multiply, divide, shift and xor in fixed blocks whose checksums are known beforehand.
# It tests the processor it happens to run on; it never sets a voltage or a frequency.
#
# A round is one step of the minimal-standard generator (16807 modulo 2^31-1, Schrage's way, so that every
# intermediate fits 31 bits and any shell computes the same) folded into a checksum. 250 rounds make a block;
# the sixteen blocks below differ in their starting data. The seed chooses the order in which blocks are run.
set -u
ulimit -c 0 2>/dev/null

BLOCK=250
GOLDEN=' 0=2085806817 1=40562583 2=1511787240 3=7176781'
GOLDEN="$GOLDEN 4=1134627432 5=1362963967 6=1316796276 7=1515191129"
GOLDEN="$GOLDEN 8=74041840 9=490648195 10=673647686 11=1419745501"
GOLDEN="$GOLDEN 12=2125934449 13=641221187 14=148158201 15=253792840 "

usage() {
    cat <<'TEXT'
usage: cpu_smoke.sh [--iterations N] [--threads N] [--seed N] [--quiet] [--inject-fault N]
  --iterations N    rounds per thread, made up to whole blocks of 250 (default 20000)
  --threads N       workers side by side, 1 to 1024 (default 1)
  --seed N          order of the blocks (default 1)
  --quiet           no line per worker
  --inject-fault N  for tests of the test: flip one bit in block N (from 1) of the first worker
exit: 0 all checksums right, 1 a checksum was wrong, 64 bad usage
TEXT
}

bad_usage() {
    echo "cpu_smoke: $1" >&2
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

# The checksum of block $1 (0 to 15) into $sum; bit $2 of the data is flipped half-way when $2 is not 0.
block_checksum() {
    x=$((1 + $1 * 104729)) sum=$((19088743 + $1)) n=0
    while [ "$n" -lt "$BLOCK" ]; do
        x=$((16807 * (x % 127773) - 2836 * (x / 127773)))
        x=$((x > 0 ? x : x + 2147483647))
        sum=$((((sum & 67108863) << 5 | sum >> 26) ^ x))
        n=$((n + 1))
        [ "$n" != 125 ] || x=$((x ^ $2))
    done
}

# Runs all blocks as worker $1; fails at the first wrong checksum.
worker() {
    done_blocks=0 order=$(((seed % 65536 + $1 * 7) % 16)) total=0
    while [ "$done_blocks" -lt "$blocks" ]; do
        order=$(((order * 5 + 1 + seed % 4 * 4) % 16)) # a full cycle of sixteen for every seed
        flip=0
        done_blocks=$((done_blocks + 1))
        [ "$1" != 0 ] || [ "$inject" != "$done_blocks" ] || flip=64
        block_checksum "$order" "$flip"
        want=${GOLDEN#*" $order="}
        want=${want%% *}
        if [ "$sum" != "$want" ]; then
            printf 'MISMATCH worker %d block %d (data %d): checksum %08x, golden %08x\n' \
                "$1" "$done_blocks" "$order" "$sum" "$want"
            return 1
        fi
        total=$((((total & 67108863) << 5 | total >> 26) ^ sum))
    done
    [ "$quiet" = 1 ] || printf 'worker %d: %d blocks, checksum %08x OK\n' "$1" "$done_blocks" "$total"
    checksum=$total
}

# Hundredths of a second since boot into $now; 0 where the kernel does not say.
clock() {
    now=0
    if read -r up _ 2>/dev/null </proc/uptime; then
        hundredths=${up#*.}
        now=$((${up%.*} * 100 + ${hundredths#0}))
    fi
}

iterations=20000 threads=1 seed=1 quiet=0 inject=0
while [ $# -gt 0 ]; do
    case $1 in
        --iterations | --threads | --seed | --inject-fault) [ $# -ge 2 ] || bad_usage "$1 needs a value" ;;
    esac
    case $1 in
        --iterations) number "$1" "$2" 1 100000000; iterations=$2; shift ;;
        --threads) number "$1" "$2" 1 1024; threads=$2; shift ;;
        --seed) number "$1" "$2" 0 2147483647; seed=$2; shift ;;
        --inject-fault) number "$1" "$2" 1 100000000; inject=$2; shift ;;
        --quiet) quiet=1 ;;
        --help) usage; exit 0 ;;
        *) bad_usage "unknown argument '$1'" ;;
    esac
    shift
done

blocks=$(((iterations + BLOCK - 1) / BLOCK))
echo "cpu_smoke: $threads worker(s), $blocks blocks of $BLOCK rounds each, seed $seed"
clock; started=$now

# Worker 0 is this shell itself; the others are children that are waited for, whatever became of it.
pids='' failed=0 k=1
while [ "$k" -lt "$threads" ]; do
    worker "$k" &
    pids="$pids $!"
    k=$((k + 1))
done
checksum=0
worker 0 || failed=1
for pid in $pids; do
    wait "$pid" || failed=1
done
[ "$failed" = 0 ] || { echo 'cpu_smoke: FAILED'; exit 1; }

clock; ticks=$((now - started))
[ "$ticks" -gt 0 ] || ticks=1
rounds=$((done_blocks * BLOCK))
echo "rounds=$rounds"
[ "$now" = 0 ] || echo "rate=$((rounds * threads / ticks * 100 + rounds * threads % ticks * 100 / ticks))"
printf 'checksum %08x OK\n' "$checksum"
