#!/bin/sh
# A simulated device under test: given a voltage and a frequency it passes, computes wrongly, crashes or hangs.
# It holds no real hardware and moves none; the same seed, voltage and frequency always end the same way.
#
# generic: one rail, `dut`. The lowest good voltage rises with the square of the frequency, 735 mV + 1.85 uV * n^2
#   for n = f / 10 MHz (794.9 mV at 1.8 GHz, 1031 mV at 4.0 GHz), and every run draws up to 9 mV of noise on it.
#   By the distance below it: up to 30 mV wrong results, more of them the deeper; to 70 mV death by a signal,
#   now and then a hang; then death at once. Just above it a run sometimes reports a corrected error.
# vc707, kc705b: the block memories of two FPGA boards, rail `bram`, with the published fault counts of
#   Salami et al., MICRO 2018, doi 10.1109/MICRO.2018.00064, at each 10 mV (between two the lower one's). Where the
#   board crashed, this process aborts: the crash of the simulated device, not of the host.
#
# With --host DIR a device that is lost takes its host along: whoever started this is killed with its whole process group,
# and the boot id of the simulated host, DIR/sys/kernel/random/boot_id, becomes another. For tests of what outlives that.
#
# With --source sim_rail the generic device has no rail of its own: it hangs on rail `sim` of the simulated regulator
# (diags/sim_rail.sh) and gets what is really there, whatever was commanded.
#
# No fork on any path and whole numbers below 2^31 only: a run takes a millisecond or two in any shell.
set -uf
ulimit -c 0 2>/dev/null

usage() {
    cat <<'TEXT'
usage: sim_dut.sh [--model generic|vc707|kc705b] [--source own|sim_rail] [--vdut-mv N] [--fdut-mhz N]
                  [--vbram-mv N] [--seed N] [--host DIR]
  --model NAME   the device (default generic)
  --source NAME  generic: own, as the next two say (default), or sim_rail: what the simulated regulator's rail sim has
  --vdut-mv N    generic: voltage of rail dut in mV (default, nominal: 1000)
  --fdut-mhz N   generic: its frequency in MHz (default, nominal: 3000)
  --vbram-mv N   vc707, kc705b: voltage of rail bram in mV (default, nominal: 1000)
  --seed N       the noise of this run (default 1); the FPGA models have none
  --host DIR     a lost device kills the process group of whoever started this, and DIR, in place of /proc, has another boot
exit: 0 all words right, 1 wrong words, 2 no regulator to hang on, 64 bad usage; by signal or never where the
      simulated device crashes or hangs
TEXT
}

bad_usage() {
    echo "sim_dut: $1" >&2
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

# What rail sim of the simulated regulator has now, into $uv and $khz; sim_rail.sh says what its file holds.
# A device without power does not run: no file is the rig's error, never nominal.
from_regulator() {
    # By its name, so that a linked diags/ shares no state.
    case $0 in
        /*/*) rail=${0%/*/*}/.sim_rail/sim ;;
        */*) rail=${0%/*}/../.sim_rail/sim ;;
        *) rail=../.sim_rail/sim ;;
    esac
    [ -e "$rail" ] || rig_error "there is no regulator: $rail is not there"
    line='' broken=''
    read -r line <"$rail" || broken=yes
    set -- $line
    [ $# = 7 ] || broken=yes
    for key in set_uv set_khz from_uv to_uv since_cs slew khz; do
        case ${1-} in
            "$key="*[!0-9]* | "$key=" | "$key="???????????* | "$key="0?*) broken=yes ;;
            "$key="*) eval "$key=\${1#*=}" ;;
            *) broken=yes ;;
        esac
        [ -z "$broken" ] || rig_error "$rail holds no state of a regulator"
        shift
    done
    uv=$to_uv
    if [ "$slew" -gt 0 ] && [ "$from_uv" != "$to_uv" ]; then
        read -r now rest </proc/uptime || rig_error 'there is no clock: /proc/uptime cannot be read'
        rest=${now#*.}
        passed=$(((${now%.*} * 100 + 1$rest - 100 - since_cs) * 10))
        way=$((to_uv > from_uv ? to_uv - from_uv : from_uv - to_uv))
        # A clock that went back is one of another boot.
        if [ "$passed" -ge 0 ] && [ "$passed" -le $((way / slew)) ]; then
            uv=$((to_uv > from_uv ? from_uv + passed * slew : from_uv - passed * slew))
        fi
    fi
    [ "$khz" -gt 0 ] && [ "$khz" -le 10000000 ] || rig_error "$rail has $khz kHz"
}

rig_error() {
    echo "sim_dut: $1" >&2
    exit 2
}

# The next number of this run's noise into $noise, 1 to 2^31-2 (16807 modulo 2^31-1, Schrage's way).
draw() {
    noise=$((16807 * (noise % 127773) - 2836 * (noise / 127773)))
    noise=$((noise > 0 ? noise : noise + 2147483647))
}

# How the run of a device that answers ends: $1 wrong bits, $2 corrected ones.
answer() {
    [ "$2" = 0 ] || echo "CORRECTED $2 bit(s) in word $((noise % WORDS))"
    [ "$1" = 0 ] || echo "MISMATCH $1 wrong bit(s), first in word $((noise % WORDS))"
    echo "corrected=$2"
    echo "faults=$1"
    if [ "$1" != 0 ]; then
        echo "compared $WORDS words with their golden values: FAILED"
        exit 1
    fi
    echo "compared $WORDS words with their golden values: OK"
    exit 0
}

# The simulated host goes down.
host_dies() {
    read -r id <"$host/sys/kernel/random/boot_id" || rig_error "$host has no boot id"
    number=${id##*-}
    case $number in '' | *[!0-9]*) rig_error "the boot id of a simulated host ends in digits, not in '$number'" ;; esac
    # The one in front keeps the zeros.
    number=$((1$number + 1))
    echo "${id%-*}-${number#1}" >"$host/sys/kernel/random/boot_id" || rig_error "the boot id cannot be written"
    # Behind the name of the program, which may hold anything: its state, its parent, its process group.
    read -r line <"/proc/$PPID/stat" || rig_error 'nobody started this'
    set -- ${line##*) }
    kill -s KILL -- "-$3" $$
}

# The simulated device goes down with signal $1.
die() {
    echo "device lost at word $((noise % WORDS)): signal $1"
    [ -z "$host" ] || host_dies
    kill -"$1" $$
    exit 70 # not reached unless the signal was lost
}

model=generic source=own vdut='' fdut='' vbram='' seed=1 host=''
while [ $# -gt 0 ]; do
    case $1 in
        --model | --source | --vdut-mv | --fdut-mhz | --vbram-mv | --seed | --host)
            [ $# -ge 2 ] || bad_usage "$1 needs a value"
            ;;
    esac
    case $1 in
        --model) model=$2; shift ;;
        --source) source=$2; shift ;;
        --vdut-mv) number "$1" "$2" 0 5000; vdut=$2; shift ;;
        --fdut-mhz) number "$1" "$2" 1 10000; fdut=$2; shift ;;
        --vbram-mv) number "$1" "$2" 0 5000; vbram=$2; shift ;;
        --seed) number "$1" "$2" 0 2147483647; seed=$2; shift ;;
        --host) host=$2; shift ;;
        --help) usage; exit 0 ;;
        *) bad_usage "unknown argument '$1'" ;;
    esac
    shift
done

case $host in
    /proc | /proc/*) bad_usage 'a simulated host is not this one: --host is no folder of /proc' ;;
esac

# A rail that the device does not have must not pass for one that was applied.
case $model in
    generic) [ -z "$vbram" ] || bad_usage 'model generic has no rail bram' ;;
    vc707 | kc705b) [ -z "$vdut$fdut" ] || bad_usage "model $model has no rail dut" ;;
    *) bad_usage "no model '$model'" ;;
esac
case $model/$source in
    */own) ;;
    generic/sim_rail) [ -z "$vdut$fdut" ] || bad_usage 'with --source sim_rail there is no rail dut' ;;
    */sim_rail) bad_usage "model $model has a rail of its own" ;;
    *) bad_usage "no source '$source'" ;;
esac

if [ "$model" != generic ]; then
    WORDS=65536 noise=1 mv=${vbram:-1000}
    echo "sim_dut: simulated $model, bram at $mv mV"
    # Faults at the lower end of each 10 mV step; what is not listed lies below the crash.
    case $model/$((mv / 10)) in
        vc707/60) faults=4 ;;
        vc707/59) faults=24 ;;
        vc707/58) faults=146 ;;
        vc707/57) faults=772 ;;
        vc707/56) faults=2732 ;;
        vc707/55) faults=7520 ;;
        vc707/54) faults=23706 ;;
        kc705b/60) faults=0 ;;
        kc705b/59) faults=2 ;;
        kc705b/58) faults=8 ;;
        kc705b/57) faults=26 ;;
        kc705b/56) faults=62 ;;
        kc705b/55) faults=252 ;;
        kc705b/54) faults=690 ;;
        kc705b/53) faults=2274 ;;
        *) [ "$mv" -ge 610 ] || die ABRT; faults=0 ;;
    esac
    answer "$faults" 0
fi

WORDS=4096
if [ "$source" = own ]; then
    mv=${vdut:-1000} mhz=${fdut:-3000}
    uv=$((mv * 1000))
    echo "sim_dut: simulated generic device, dut at $mv mV, $mhz MHz, seed $seed"
else
    from_regulator
    mv=$((uv / 1000)) mhz=$((khz / 1000))
    echo "sim_dut: simulated generic device on the simulated regulator, seed $seed"
    echo "rail_uv=$uv"
    echo "rail_khz=$khz"
fi
noise=$(((seed % 65536 * 31 + seed / 65536 + mv * 7919 + mhz * 104729) % 2147483646 + 1))
draw; draw; draw

# Microvolts above (or below) what this run needs.
n=$((mhz / 10))
margin=$((uv - 735000 - n * n * 37 / 20 + noise % 18001 - 9000))
draw

if [ "$margin" -ge 0 ]; then
    [ "$margin" -lt 8000 ] && [ $((noise % 3)) = 0 ] && answer 0 $((noise % 5 + 1))
    answer 0 0
elif [ "$margin" -ge -30000 ]; then
    bits=$((-margin / 3000)) faults=1
    while [ "$bits" -gt 0 ]; do
        faults=$((faults * 2 + noise % 2))
        draw
        bits=$((bits - 1))
    done
    answer "$faults" 0
elif [ "$margin" -ge -70000 ]; then
    case $((noise % 16)) in
        0)
            echo "device stopped answering at word $((noise % WORDS))"
            exec sleep 3600
            ;;
        [1-4] | 1[0-5]) die SEGV ;;
        *) die BUS ;;
    esac
fi
die ABRT
