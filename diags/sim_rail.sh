#!/bin/sh
# A simulated regulator: voltage and frequency of a rail that exists only as a file, .sim_rail/RAIL in the workspace.
# It holds no real hardware and moves none. diags/sim_dut.sh --source sim_rail reads from it what it really gets.
#
# The file is one line, replaced as a whole; the first command makes it, at nominal:
#   set_uv, set_khz     what was commanded last
#   from_uv, to_uv      where the voltage came from and where it ends
#   since_cs, slew      when it left, in hundredths of a second of uptime, and its pace in uV a millisecond (0: at once)
#   khz                 the frequency that is really there
# The options make it as bad as real ones are. They come before the command, so a manifest of your own can hold them.
#
# One fork where it writes (mv), none where it reads what is there; whole numbers below 2^31 only.
set -uf

usage() {
    cat <<'TEXT'
usage: sim_rail.sh [OPTION ...] get RAIL
       sim_rail.sh [OPTION ...] set RAIL [voltage_uv=N] [frequency_khz=N]    or: set RAIL UV KHZ
       sim_rail.sh [OPTION ...] nominal RAIL
  get      prints voltage_uv=N frequency_khz=N as read back
  set      commands a setpoint; a field that is not given stays
  nominal  back to nominal, exactly
  --nominal-uv N --nominal-khz N  nominal (default 1000000 and 3000000)
  --slew-uv-per-ms N  the voltage moves this fast (default 0: at once); get shows where it is
  --offset-uv N       a commanded voltage ends this much off, and get shows it; may be negative
  --ignore-writes     says yes to set and nominal and does nothing
  --lie               get repeats what was commanded; the rail stays where it was, with --offset-uv it ends that much off
  --fail COMMAND      this command fails (may stand several times)
  --hang COMMAND      this command never ends (may stand several times)
  --log FILE          every command with its arguments is appended to this file
exit: 0 done, 1 not done, 64 bad usage
TEXT
}

bad_usage() {
    echo "sim_rail: $1" >&2
    usage >&2
    exit 64
}

fail() {
    echo "sim_rail: $1" >&2
    exit 1
}

# A plain decimal number between $3 and $4, or bad usage. $1 is the option, $2 its value.
number() {
    case $2 in
        '' | *[!0-9]* | 0?* | ???????????*) bad_usage "$1 needs a whole number, not '$2'" ;;
    esac
    [ "$2" -ge "$3" ] && [ "$2" -le "$4" ] || bad_usage "$1 must be $3 to $4, not $2"
}

command_name() {
    case $2 in
        get | set | nominal) ;;
        *) bad_usage "$1 needs get, set or nominal, not '$2'" ;;
    esac
}

# Hundredths of a second since boot into $now.
clock() {
    read -r now rest </proc/uptime || fail 'there is no clock: /proc/uptime cannot be read'
    rest=${now#*.}
    now=$((${now%.*} * 100 + 1$rest - 100))
}

nominal_uv=1000000 nominal_khz=3000000 slew=0 offset=0 ignore='' lie='' failing='' hanging='' log=''
while [ $# -gt 0 ]; do
    case $1 in
        --nominal-uv | --nominal-khz | --slew-uv-per-ms | --offset-uv | --fail | --hang | --log)
            [ $# -ge 2 ] || bad_usage "$1 needs a value"
            ;;
    esac
    case $1 in
        --nominal-uv) number "$1" "$2" 0 5000000; nominal_uv=$2; shift ;;
        --nominal-khz) number "$1" "$2" 1 10000000; nominal_khz=$2; shift ;;
        --slew-uv-per-ms) number "$1" "$2" 0 5000000; slew=$2; shift ;;
        --offset-uv) number "$1" "${2#-}" 0 5000000; offset=$2; shift ;;
        --ignore-writes) ignore=yes ;;
        --lie) lie=yes ;;
        --fail) command_name "$1" "$2"; failing="$failing $2 "; shift ;;
        --hang) command_name "$1" "$2"; hanging="$hanging $2 "; shift ;;
        --log) [ -n "$2" ] || bad_usage '--log needs a file'; log=$2; shift ;;
        --help) usage; exit 0 ;;
        -*) bad_usage "unknown option '$1'" ;;
        *) break ;;
    esac
    shift
done

if [ -n "$log" ]; then
    printf '%s\n' "$*" >>"$log" || fail "nothing can be appended to $log"
fi
[ $# -ge 2 ] || bad_usage 'a command and a rail are needed'
verb=$1 rail=$2
shift 2
command_name 'the command' "$verb"
case $rail in
    '' | [!a-z0-9]* | *[!a-z0-9_-]*) bad_usage "'$rail' is no name of a rail" ;;
esac

want_uv='' want_khz=''
case $verb/$# in
    get/0 | nominal/0) ;;
    get/* | nominal/*) bad_usage "$verb takes nothing after the rail" ;;
    set/0) bad_usage 'set needs a voltage or a frequency' ;;
    set/*)
        # Two bare numbers are clear; one could be either.
        case $#,$* in
            2,[0-9]*' '[0-9]*) set -- "voltage_uv=$1" "frequency_khz=$2" ;;
        esac
        for field; do
            case $field in
                voltage_uv=*) [ -z "$want_uv" ] || bad_usage 'two voltages'; want_uv=${field#*=} ;;
                frequency_khz=*) [ -z "$want_khz" ] || bad_usage 'two frequencies'; want_khz=${field#*=} ;;
                *) bad_usage "'$field' is neither voltage_uv=N nor frequency_khz=N" ;;
            esac
        done
        case $* in *voltage_uv=*) number voltage_uv "$want_uv" 0 5000000 ;; esac
        case $* in *frequency_khz=*) number frequency_khz "$want_khz" 1 10000000 ;; esac
        ;;
esac

case $hanging in *" $verb "*) exec sleep 3600 ;; esac
case $failing in *" $verb "*) fail "$verb failed, as it was told to" ;; esac

# The workspace is the folder above the one of this script; by its name, so that a linked diags/ shares no state.
case $0 in
    /*/*) folder=${0%/*/*}/.sim_rail ;;
    */*) folder=${0%/*}/../.sim_rail ;;
    *) folder=../.sim_rail ;;
esac
[ ! -h "$folder" ] || fail "$folder is a link"
file=$folder/$rail

# The state into set_uv set_khz from_uv to_uv since_cs pace khz, and the voltage really there now into real_uv.
if [ -e "$file" ]; then
    line='' broken=''
    read -r line <"$file" || broken=yes
    set -- $line
    [ $# = 7 ] || broken=yes
    for key in set_uv set_khz from_uv to_uv since_cs slew khz; do
        value=${1-}
        case $value in
            "$key="*[!0-9]* | "$key=" | "$key="???????????* | "$key="0?*) broken=yes ;;
            "$key="*) ;;
            *) broken=yes ;;
        esac
        [ -z "$broken" ] || fail "$file holds no state of a regulator"
        [ "$key" = slew ] && key=pace
        eval "$key=\${value#*=}"
        shift
    done
    real_uv=$to_uv
    if [ "$pace" -gt 0 ] && [ "$from_uv" != "$to_uv" ]; then
        clock
        passed=$(((now - since_cs) * 10)) way=$((to_uv > from_uv ? to_uv - from_uv : from_uv - to_uv))
        # A clock that went back is one of another boot.
        if [ "$passed" -ge 0 ] && [ "$passed" -le $((way / pace)) ]; then
            real_uv=$((to_uv > from_uv ? from_uv + passed * pace : from_uv - passed * pace))
        fi
    fi
else
    set_uv=$nominal_uv set_khz=$nominal_khz real_uv=$nominal_uv from_uv=$nominal_uv to_uv=$nominal_uv since_cs=0
    khz=$nominal_khz
fi

# Replaces the file.
keep() {
    umask 077
    [ -d "$folder" ] || mkdir "$folder" 2>/dev/null || [ -d "$folder" ] || fail "$folder cannot be made"
    state="set_uv=$set_uv set_khz=$set_khz from_uv=$from_uv to_uv=$to_uv since_cs=$since_cs slew=$slew khz=$khz"
    { echo "$state" >"$folder/.$rail.$$"; } 2>/dev/null || fail "$folder cannot be written"
    mv -f "$folder/.$rail.$$" "$file" || fail "$file was not replaced"
}

case $verb in
    get)
        if [ -n "$lie" ]; then
            echo "voltage_uv=$set_uv frequency_khz=$set_khz"
        else
            echo "voltage_uv=$real_uv frequency_khz=$khz"
        fi
        # A device that hangs on it has to find it also where nothing was ever set.
        [ -e "$file" ] || { slew=0; keep; }
        exit 0
        ;;
    set) set_uv=${want_uv:-$set_uv} set_khz=${want_khz:-$set_khz} ;;
    nominal) set_uv=$nominal_uv set_khz=$nominal_khz offset=0 want_uv=$nominal_uv ;;
esac
[ -z "$ignore" ] || exit 0

from_uv=$real_uv since_cs=0
if [ -n "$lie" ] && [ "$offset" -eq 0 ] && [ "$verb" = set ]; then
    to_uv=$real_uv
else
    # A frequency alone leaves the voltage on its way.
    [ -z "$want_uv" ] || to_uv=$((set_uv + offset))
    [ "$to_uv" -ge 0 ] || to_uv=0
    khz=$set_khz
fi
if [ "$slew" -gt 0 ]; then
    clock
    since_cs=$now
fi
keep
