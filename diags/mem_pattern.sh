#!/bin/sh
# Memory patterns: writes a pattern through a file of the current folder, reads every byte back, compares it.
# The data lives in the page cache, so that it is the machine's memory that holds it; nothing is set or moved.
#
# Every pattern repeats after 16 bytes. `od` without -v compares each row of 16 bytes with the one before and
# prints only what differs, so that "one row, then the end at the right offset" says that all bytes are right.
# The file is unlinked before it is filled: whatever ends this test, its data does not stay behind.
set -u
ulimit -c 0 2>/dev/null

usage() {
    cat <<'TEXT'
usage: mem_pattern.sh [--size-mb N] [--pattern NAME] [--passes N] [--seed N] [--inject-fault OFFSET]
  --size-mb N            MiB to write and read back (default 16)
  --pattern NAME         walking_ones, walking_zeros, checkerboard, inverse_checkerboard, solid_ones, solid_zeros,
                         or seeded: 16 bytes drawn from the seed (default walking_ones)
  --passes N             times to do it, each in new pages (default 1)
  --seed N               for the seeded pattern (default 1)
  --inject-fault OFFSET  for tests of the test: flip one bit of the byte at OFFSET after it was written
exit: 0 all bytes right, 1 a byte was wrong, 2 the file could not be written or read, 64 bad usage
TEXT
}

bad_usage() {
    echo "mem_pattern: $1" >&2
    usage >&2
    exit 64
}

rig_error() {
    echo "mem_pattern: $1" >&2
    exit 2
}

# A plain decimal number between $3 and $4, or bad usage. $1 is the option, $2 its value.
number() {
    case $2 in
        '' | *[!0-9]* | 0?* | ???????????*) bad_usage "$1 needs a whole number, not '$2'" ;;
    esac
    [ "$2" -ge "$3" ] && [ "$2" -le "$4" ] || bad_usage "$1 must be $3 to $4, not $2"
}

# Hundredths of a second since boot into $now; 0 where the kernel does not say.
clock() {
    now=0
    if read -r up _ 2>/dev/null </proc/uptime; then
        hundredths=${up#*.}
        now=$((${up%.*} * 100 + ${hundredths#0}))
    fi
}

size_mb=16 pattern=walking_ones passes=1 seed=1 inject=''
while [ $# -gt 0 ]; do
    case $1 in
        --size-mb | --pattern | --passes | --seed | --inject-fault) [ $# -ge 2 ] || bad_usage "$1 needs a value" ;;
    esac
    case $1 in
        --size-mb) number "$1" "$2" 1 4096; size_mb=$2; shift ;;
        --pattern) pattern=$2; shift ;;
        --passes) number "$1" "$2" 1 100000; passes=$2; shift ;;
        --seed) number "$1" "$2" 0 2147483647; seed=$2; shift ;;
        --inject-fault) number "$1" "$2" 0 4294967295; inject=$2; shift ;;
        --help) usage; exit 0 ;;
        *) bad_usage "unknown argument '$1'" ;;
    esac
    shift
done
[ "${inject:-0}" -lt $((size_mb * 1048576)) ] || bad_usage '--inject-fault lies past the end'

# The sixteen bytes as octal digits, three each.
case $pattern in
    walking_ones) octal='001 002 004 010 020 040 100 200' ;;
    walking_zeros) octal='376 375 373 367 357 337 277 177' ;;
    checkerboard) octal='125 252 125 252 125 252 125 252' ;;
    inverse_checkerboard) octal='252 125 252 125 252 125 252 125' ;;
    solid_ones) octal='377 377 377 377 377 377 377 377' ;;
    solid_zeros) octal='000 000 000 000 000 000 000 000' ;;
    seeded)
        octal='' x=$((seed % 2147483646 + 1)) n=0
        while [ "$n" -lt 16 ]; do
            x=$((16807 * (x % 127773) - 2836 * (x / 127773)))
            x=$((x > 0 ? x : x + 2147483647))
            byte=$((x / 65536 % 256))
            octal="$octal $((byte / 64))$((byte / 8 % 8))$((byte % 8))"
            n=$((n + 1))
        done
        ;;
    *) bad_usage "no pattern '$pattern'" ;;
esac
set -- $octal
[ $# = 16 ] || octal="$octal $octal"
set -- $octal

escapes=''
for byte in "$@"; do escapes="$escapes\\$byte"; done
row=" $*" # as od prints it

file=mem_pattern.$$.data chunk=mem_pattern.$$.chunk
trap 'rm -f "$file" "$chunk" "$chunk.part"' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
set -C # a file that is already there is not ours to write

# One MiB of the pattern: 4 KiB from printf, sixteen of them, sixteen of those.
n=0
while [ "$n" -lt 8 ]; do
    escapes="$escapes$escapes"
    n=$((n + 1))
done
{ printf "$escapes" >"$chunk"; } 2>/dev/null || rig_error "cannot write in $(pwd)"
for level in 64K 1M; do
    cat "$chunk" "$chunk" "$chunk" "$chunk" "$chunk" "$chunk" "$chunk" "$chunk" \
        "$chunk" "$chunk" "$chunk" "$chunk" "$chunk" "$chunk" "$chunk" "$chunk" >"$chunk.part" &&
        mv -f "$chunk.part" "$chunk" || rig_error "cannot write $level of pattern in $(pwd)"
done

set --
n=0
while [ "$n" -lt "$size_mb" ]; do
    set -- "$@" "$chunk"
    n=$((n + 1))
done
bytes=$((size_mb * 1048576))
echo "mem_pattern: $passes pass(es) of $size_mb MiB, pattern $pattern:$row"
clock; started=$now

pass=0
while [ "$pass" -lt "$passes" ]; do
    pass=$((pass + 1))
    # 3 writes, 4 reads from the start, 5 is there for an injected fault.
    exec 3>"$file" 4<"$file" 5<>"$file" && rm -f "$file" || rig_error "cannot make $file"
    cat "$@" >&3 || rig_error "cannot write $bytes bytes in $(pwd)"
    exec 3>&-
    if [ -n "$inject" ]; then
        right=$(echo "$row" | cut -d ' ' -f $((inject % 16 + 2)))
        printf "\\$(printf '%03o' $((0$right ^ 1)))" |
            dd bs=1 seek="$inject" conv=notrunc >&5 2>/dev/null || rig_error 'cannot inject the fault'
    fi
    exec 5>&-
    # At most the first rows: a flood of wrong rows adds nothing.
    seen=$(od -A o -t o1 <&4 | head -n 8) || rig_error 'cannot read the file back'
    exec 4<&-
    # Offsets are octal, padded to seven digits or more; squeeze the spaces that some versions of od widen.
    seen=$(echo "$seen" | tr -s ' ')
    expected="0000000$row
*
$(printf '%07o' "$bytes")"
    if [ "$seen" != "$expected" ]; then
        echo "MISMATCH pattern $pattern pass $pass; offsets and bytes are octal, written:$row, read back:"
        echo "$seen"
        exit 1
    fi
done

clock; ticks=$((now - started))
[ "$ticks" -gt 0 ] || ticks=1
[ "$now" = 0 ] || echo "rate_mib_per_s=$((size_mb * passes * 100 / ticks))"
echo "passes=$pass"
echo "verified_mib=$size_mb"
echo "verified $((bytes * pass)) bytes, pattern $pattern: OK"
