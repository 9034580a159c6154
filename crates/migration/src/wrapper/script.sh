# What a temporary job runs, in POSIX sh (dash, busybox ash, bash). `wrapper.rs` strips comments and indentation,
# fills in the lines between @ signs, and sends the rest octal-escaped in HARBOR_PILOT_SCRIPT.
#
# Everything stands in one brace group: a text that was cut on its way is a syntax error before anything runs.
{
# Options and variables may come in through the environment (SHELLOPTS, exported names of ours). With xtrace on, every
# mark would be shown twice; with errexit, a failing step would end this script before its mark.
set +aefuvx
unset IFS _hp_term _hp_child _hp_passed _hp_seen _hp_at _hp_code _hp_built _hp_value
_hp_ran=0
_hp_checked=0
@constants@

# Marks go to a saved descriptor, so that no command can close it or write to it.
exec 3>&1

_hp_now() {
  _hp_at=$(date +%s 2>/dev/null) || _hp_at=
  # The last pattern is 19 characters and more, which a shell can't compare.
  case $_hp_at in '' | *[!0123456789]* | ???????????????????*) _hp_at=unknown ;; esac
}

# Prints mark $1. With $2 = \n it begins on a fresh line whatever a command printed before. One printf, so that it is
# one write. The word that marks begin with stands nowhere in this text, so that printing the text prints no mark.
_hp_mark() {
  printf "${2-}harbor-%s/1 %s %s\n" pilot "$_hp_nonce" "$1" >&3
}

# Prints the last mark, $1, and exits with $2. After a TERM there is no last mark.
_hp_last() {
  trap '' TERM
  [ -z "${_hp_term-}" ] || exit 143
  _hp_mark "$1"
  exit "$2"
}

# Prints the done mark for exit code $1 and exits with it, or with 0 where a failure is contained.
_hp_end() {
  _hp_now
  _hp_last "done code=$1 ran=$_hp_ran/$_hp_steps checks=$_hp_checked/$_hp_checks at=$_hp_at" "$(($1 * _hp_strict))"
}

# Sends TERM to the running command and all its descendants: a shell that waits for a program does not pass it on.
# Descendants are found by /proc, where there is one; a process group would need job control or setsid.
_hp_pass() {
  _hp_passed=1
  _hp_all=$_hp_child
  _hp_front=$_hp_child
  while [ -n "$_hp_front" ]; do
    _hp_next=
    for _hp_file in /proc/[0-9]*/stat; do
      { read -r _hp_stat <"$_hp_file"; } 2>/dev/null || continue
      # `pid (name) state parent …`, and the name may hold anything.
      _hp_stat=${_hp_stat##*") "}
      _hp_stat=${_hp_stat#* }
      case " $_hp_front " in
        *" ${_hp_stat%% *} "*)
          _hp_file=${_hp_file#/proc/}
          _hp_next="$_hp_next ${_hp_file%/stat}"
          ;;
      esac
    done
    _hp_all="$_hp_all$_hp_next"
    _hp_front=$_hp_next
  done
  kill -s TERM $_hp_all 2>/dev/null
}

_hp_on_term() {
  _hp_term="${_hp_term-}1"
  [ -z "${_hp_child-}" ] || _hp_pass
  _hp_now
  _hp_mark "term at=$_hp_at" '\n'
}

# Refuses to run where the variable named $1 has no usable value, $2: empty, or still encrypted.
_hp_need() {
  case $2 in
    '' | 'EV['*) _hp_last "refused variable=$1" "$((78 * _hp_strict))" ;;
  esac
}

# Runs command $4 of step $3 at place $2, as a $1 (check or step), in a shell of its own. It runs in the background
# because a trap waits for a command in the foreground to end.
_hp_run() {
  _hp_now
  [ -z "${_hp_term-}" ] || exit 143
  _hp_mark "$1-started index=$2 name=$3 at=$_hp_at"
  _hp_passed=
  MIGRATION_STEP=$3 sh -e -c -- "$4" </dev/null 3>&- &
  _hp_child=$!
  # A TERM may have come before the child's id was known.
  [ -z "${_hp_term-}" ] || [ -n "$_hp_passed" ] || _hp_pass
  _hp_seen=
  wait "$_hp_child"
  _hp_code=$?
  # A TERM interrupts the wait (143), and the command may take its time to end. 127: it was waited for already. bash may
  # give -1 for a command that ends at that moment: how it ended is lost, and 143 stands for it.
  while [ "${_hp_term-}" != "$_hp_seen" ]; do
    _hp_seen=$_hp_term
    wait "$_hp_child"
    _hp_value=$?
    case $_hp_value in 127 | -*) ;; *) _hp_code=$_hp_value ;; esac
    case $_hp_code in -*) _hp_code=143 ;; esac
  done
  _hp_child=
  _hp_now
  _hp_mark "$1-ended index=$2 name=$3 code=$_hp_code at=$_hp_at" '\n'
  [ -z "${_hp_term-}" ] || exit 143
  [ "$_hp_code" -eq 0 ] || _hp_end "$_hp_code"
  case $1 in
    check) _hp_checked=$((_hp_checked + 1)) ;;
    *) _hp_ran=$((_hp_ran + 1)) ;;
  esac
}

trap _hp_on_term TERM

# The commit that it was built from: the first of the two bindings that resolved.
_hp_built=unknown
for _hp_value in "${HARBOR_PILOT_COMMIT-}" "${HARBOR_PILOT_REFERENCE_COMMIT-}"; do
  case $_hp_value in *[!0123456789abcdefABCDEF]*) continue ;; esac
  if [ "${#_hp_value}" -eq 40 ]; then
    _hp_built=$_hp_value
    break
  fi
done

_hp_now
_hp_mark "begin key=$_hp_key epoch=$_hp_epoch steps=$_hp_steps checks=$_hp_checks commit=$_hp_built at=$_hp_at" '\n'

[ "$_hp_at" != unknown ] || _hp_last 'disarmed why=no-clock' 0
# A limit that is no number fails this test too, and so disarms.
[ "$_hp_at" -le "${HARBOR_PILOT_NOT_AFTER-}" ] 2>/dev/null || _hp_last 'disarmed why=lease' 0
if [ -n "${HARBOR_PILOT_PLANNED_COMMIT-}" ] && [ "$_hp_built" != unknown ]; then
  [ "$_hp_built" = "$HARBOR_PILOT_PLANNED_COMMIT" ] || _hp_last "disarmed why=commit built=$_hp_built" 0
fi
unset HARBOR_PILOT_SCRIPT HARBOR_PILOT_RUN HARBOR_PILOT_NOT_AFTER
unset HARBOR_PILOT_COMMIT HARBOR_PILOT_REFERENCE_COMMIT HARBOR_PILOT_PLANNED_COMMIT

@needed@
@exports@
@commands@
_hp_end 0
}
