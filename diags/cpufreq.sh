#!/bin/sh
# Pins the clock of this host's processors: scaling_min_freq = scaling_max_freq = the setpoint, in every cpufreq policy.
# It moves real hardware within what its driver offers, and never a voltage, a governor or boost.
#
# Before the first change the limits, governor and boost of every policy are recorded in ROAD_RUNNER_RAIL_STATE, in a
# file of this boot; a record that is there is never replaced. restore puts the limits back that apply wrote and reads
# each again. A governor or boost that is another now was changed by somebody else: that is said, and left alone.
#
# cpufreq.BOOT_ID holds a line a policy, `policy0 min max governor boost`, and then `host boost no_turbo`; `-` where the
# host has no such file. cpufreq.BOOT_ID.setpoint holds what apply wanted last, and nothing at home.
# No fork but for the record (mv): everything is read and written by the shell itself.
set -u

usage() {
    cat <<'TEXT'
usage: cpufreq.sh [--sysfs DIR] apply RAIL KHZ
       cpufreq.sh [--sysfs DIR] read RAIL
       cpufreq.sh [--sysfs DIR] restore RAIL
  apply    pins every policy to KHZ; needs ROAD_RUNNER_RAIL_STATE, the folder for the record
  read     prints in kHz what every policy is pinned to. Where apply wanted something else: of all limits the one that
           is furthest from it. Where nothing was applied: the highest frequency that every policy allows
  restore  puts the recorded limits back; nothing recorded since the host started is nothing to do
  --sysfs DIR  where sysfs is, absolute (default /sys)
exit: 0 done, 1 not done, 64 bad usage
TEXT
}

bad_usage() {
    echo "cpufreq: $1" >&2
    usage >&2
    exit 64
}

fail() {
    echo "cpufreq: $1" >&2
    exit 1
}

# The first word of file $1 into $word; `-`, and false, where there is none.
word() {
    word=''
    [ ! -e "$1" ] || { read -r word rest <"$1"; } 2>/dev/null
    word=${word:--}
    [ "$word" != - ]
}

# A frequency in kHz from file $1 into $word, or the end.
frequency() {
    word "$1" || fail "$1 cannot be read"
    case $word in
        *[!0-9]* | ??????????*) fail "$1 holds no frequency, but '$word'" ;;
    esac
}

# All policies that have a processor online into $policies. The kernel keeps the folders of others, and answers nothing.
find_policies() {
    policies=''
    for policy in "$cpu"/cpufreq/policy[0-9]*; do
        [ -e "$policy" ] || continue
        [ ! -e "$policy/affected_cpus" ] || word "$policy/affected_cpus" || continue
        policies="$policies ${policy##*/}"
    done
    [ -n "$policies" ] || fail "there is no policy in $cpu/cpufreq: nothing here lets the clock be set"
}

write() {
    { echo "$2" >"$1"; } 2>/dev/null && return
    echo "cpufreq: $1 does not take $2" >&2
    return 1
}

# The limits of policy $1 become $2 to $3. At no time is the lower one above the upper one.
limits() {
    frequency "$1/scaling_min_freq"
    if [ "$3" -ge "$word" ]; then
        write "$1/scaling_max_freq" "$3" && write "$1/scaling_min_freq" "$2"
    else
        write "$1/scaling_min_freq" "$2" && write "$1/scaling_max_freq" "$3"
    fi
}

# Adds to $wrong what file $1 has instead of $2.
verify() {
    word "$1"
    [ "$word" = "$2" ] || wrong="$wrong${wrong:+, }$1 is $word instead of $2"
}

# Says so when file $1 no longer has $2.
compare() {
    [ "$2" != - ] || return 0
    word "$1"
    [ "$word" = "$2" ] || echo "cpufreq: $1 was $2 and is $word; somebody else changed it, it is left alone" >&2
}

# Makes the record, whole or not at all.
make_record() {
    lines=''
    for name in $policies; do
        policy=$cpu/cpufreq/$name
        frequency "$policy/scaling_min_freq"; lines="$lines$name $word"
        frequency "$policy/scaling_max_freq"; lines="$lines $word"
        word "$policy/scaling_governor"; lines="$lines $word"
        word "$policy/boost"; lines="$lines $word
"
    done
    word "$cpu/cpufreq/boost"; lines="${lines}host $word"
    word "$cpu/intel_pstate/no_turbo"; lines="$lines $word"
    { echo "$lines" >"$record.new" && mv "$record.new" "$record"; } || fail "$record cannot be made"
}

apply() {
    [ -n "$state" ] || fail 'ROAD_RUNNER_RAIL_STATE is not set: without a record there is no way back'
    find_policies
    for name in $policies; do
        frequency "$cpu/cpufreq/$name/cpuinfo_min_freq"; min=$word
        frequency "$cpu/cpufreq/$name/cpuinfo_max_freq"
        [ "$1" -ge "$min" ] && [ "$1" -le "$word" ] || fail "$1 kHz is outside the $min to $word kHz of $name"
    done
    [ -e "$record" ] || make_record
    recorded=' '
    while read -r name rest; do recorded="$recorded$name "; done <"$record"
    for name in $policies; do
        case $recorded in
            *" $name "*) ;;
            *) fail "$name came online after the limits were recorded: there is no way back for it" ;;
        esac
    done
    { echo "$1" >"$record.setpoint"; } 2>/dev/null || fail "$state cannot be written"
    wrong=''
    for name in $policies; do
        policy=$cpu/cpufreq/$name
        limits "$policy" "$1" "$1" || exit 1
        verify "$policy/scaling_min_freq" "$1"
        verify "$policy/scaling_max_freq" "$1"
    done
    [ -z "$wrong" ] || fail "not held: $wrong"
}

read_back() {
    setpoint=''
    [ -z "$state" ] || { word "$record.setpoint" && setpoint=$word; }
    case $setpoint in *[!0-9]*) fail "$record.setpoint is damaged" ;; esac
    find_policies
    highest='' furthest=$setpoint distance=0
    for name in $policies; do
        for limit in scaling_min_freq scaling_max_freq; do
            frequency "$cpu/cpufreq/$name/$limit"
            [ -n "$setpoint" ] || continue
            off=$((word > setpoint ? word - setpoint : setpoint - word))
            [ "$off" -le "$distance" ] || { furthest=$word distance=$off; }
        done
        [ "${highest:-$word}" -lt "$word" ] || highest=$word
    done
    echo "${furthest:-$highest}"
}

restore() {
    if [ -z "$state" ] || [ ! -e "$record" ]; then
        echo 'cpufreq: nothing was changed here since this host started'
        return
    fi
    wrong='' whole=''
    { : >"$record.setpoint"; } 2>/dev/null || wrong="$record.setpoint cannot be emptied"
    while read -r name min max governor boost; do
        if [ "$name" = host ]; then
            whole=yes
            compare "$cpu/cpufreq/boost" "$min"
            compare "$cpu/intel_pstate/no_turbo" "$max"
            continue
        fi
        for number in "${name#policy}" "$min" "$max"; do
            case $number in '' | *[!0-9]*) fail "$record is damaged at '$name'" ;; esac
        done
        policy=$cpu/cpufreq/$name
        # Whatever one of them does, the others go home.
        word "$policy/scaling_min_freq" && limits "$policy" "$min" "$max"
        verify "$policy/scaling_min_freq" "$min"
        verify "$policy/scaling_max_freq" "$max"
        compare "$policy/scaling_governor" "$governor"
        compare "$policy/boost" "$boost"
    done <"$record"
    [ -n "$whole" ] || fail "$record is damaged: its end is missing"
    [ -z "$wrong" ] || fail "not home: $wrong"
}

sysfs=/sys
while [ $# -gt 0 ]; do
    case $1 in
        --sysfs)
            [ $# -ge 2 ] || bad_usage "$1 needs a value"
            case $2 in /*) ;; *) bad_usage "$1 needs an absolute path, not '$2'" ;; esac
            sysfs=${2%/}
            shift
            ;;
        --help) usage; exit 0 ;;
        -*) bad_usage "unknown option '$1'" ;;
        *) break ;;
    esac
    shift
done
[ $# -ge 2 ] || bad_usage 'a command and a rail are needed'
case $2 in
    '' | [!a-z0-9]* | *[!a-z0-9_-]*) bad_usage "'$2' is no name of a rail" ;;
esac
case $1/$# in
    apply/3)
        case $3 in
            *[!0-9]* | 0* | '' | ??????????*) bad_usage "the frequency must be a whole number of kHz, not '$3'" ;;
        esac
        ;;
    apply/*) bad_usage 'apply needs a rail and a frequency in kHz' ;;
    read/2 | restore/2) ;;
    read/* | restore/*) bad_usage "$1 takes nothing after the rail" ;;
    *) bad_usage "unknown command '$1'" ;;
esac

umask 077
cpu=$sysfs/devices/system/cpu state=${ROAD_RUNNER_RAIL_STATE:-}
word /proc/sys/kernel/random/boot_id || word=unknown
record=$state/cpufreq.$word
case $1 in
    apply) apply "$3" ;;
    read) read_back ;;
    restore) restore ;;
esac
