"""The environment of a script. The server's own environment is neither read nor changed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from runbook.core.document import Problem
from runbook.quick_dataclass import dataclass
from runbook.script.limits import VARIABLE_NAME

VALUE_LIMIT = 64 * 1024
"""Maximum size of one value in UTF-8 bytes; the kernel rejects values of 128 KiB."""
TOTAL_LIMIT = 1024 * 1024
"""Maximum size of all names and values together, in UTF-8 bytes."""
NAME_RULE = "Use up to 128 ASCII letters, digits and underscores, not starting with a digit"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BASE_NAMES = frozenset({"PATH", "HOME", "LANG", "TZ", "TMPDIR"})
"""Set by the engine for every script."""

SERVER_SECRETS = frozenset({"JWT_SECRET", "DATABASE_URL", "REDIS_URL"})
"""Server settings that are never passed to a script."""
SECRET_FILES = frozenset(f"{name}_FILE" for name in SERVER_SECRETS)
"""Variables that name files with these settings."""

SETTING_NAMES = SECRET_FILES | _words(
    """
    ALLOW_REMOTE_DEV_LOGIN ALLOW_UNDECLARED_ENV API_HOST API_PORT API_PROTOCOL
    AUDIT_RETENTION_DAYS BIND_HOST BUILT_AT CONNECTIONS_DIR
    DATABASE_URL DATA_DIR DRAIN_SECONDS ENABLE_LOGIN ENFORCE_CLAIMS EXECUTION_DIR HISTORY
    HISTORY_ENTRY_BYTES HISTORY_MAX_ENTRIES IDP_LOGIN_URI ISOLATION ISOLATION_WRITABLE
    JWT_ALGORITHM JWT_AUDIENCE JWT_ISSUER
    JWT_JWKS_URL JWT_SECRET JWT_TTL_MINUTES LOGGING_LEVEL MAX_ARTIFACT_BYTES MAX_BODY_BYTES
    MAX_INPUT_BYTES MAX_INPUT_FILES MAX_OUTPUT_SIZE_BYTES MAX_PARALLEL_RUNS MAX_QUEUED_RUNS
    MAX_RECURSION_DEPTH METRICS_PORT MOUNT_DIR RATE_LIMIT_ENABLED RATE_LIMIT_EXECUTE_PER_MINUTE
    RATE_LIMIT_PER_MINUTE RATE_LIMIT_STORAGE_BACKEND REDIS_URL RETENTION_DAYS ROLE_PERMISSIONS
    RUNBOOKS_DIR RUN_AS_USER RUN_MAX_MEMORY_BYTES RUN_MAX_PROCESSES
    SCRIPT_ENV_PASS SCRIPT_MAX_FILE_BYTES SCRIPT_MAX_MEMORY_BYTES SCRIPT_MAX_OPEN_FILES
    SCRIPT_MAX_PROCESSES SCRIPT_TIMEOUT_SECONDS SECRETS_DIR STOP_TIMEOUT_SECONDS TOOLKITS_DIR
    TOOLKIT_CATALOGUE TRUSTED_PROXIES UI_HEADER WEB_PROCESSES
    """
)
"""The server's own settings (see `settings.py`), which runbooks can't read."""

RESERVED = (
    BASE_NAMES
    | SERVER_SECRETS
    | _words(
        """
    SHELL PWD OLDPWD SHLVL _ IFS ENV CDPATH TMPPREFIX HISTFILE
    BASH_ENV BASHOPTS SHELLOPTS BASH_XTRACEFD BASH_LOADABLES_PATH BASH_COMPAT POSIXLY_CORRECT
    GLOBIGNORE EXECIGNORE PROMPT_COMMAND PROMPT4 PS0 PS4
    ZDOTDIR FPATH MODULE_PATH NULLCMD READNULLCMD ARGV0 STTY TMOUT
    GCONV_PATH LOCPATH NLSPATH HOSTALIASES RES_OPTIONS LOCALDOMAIN RESOLV_HOST_CONF TZDIR
    MALLOC_TRACE GETCONF_DIR TERMCAP
    PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONWARNINGS PYTHONINSPECT PYTHONUSERBASE
    PYTHONEXECUTABLE PYTHONPLATLIBDIR PYTHONPYCACHEPREFIX PYTHONBREAKPOINT PYTHONCASEOK
    PYTHONSAFEPATH PYTHONNOUSERSITE PYTHONOPTIMIZE PYTHONDEBUG PYTHONVERBOSE PYTHONDEVMODE
    PYTHONMALLOC PYTHONTRACEMALLOC PYTHONPROFILEIMPORTTIME PYTHONDUMPREFS PYTHONDUMPREFSFILE
    PYTHONPERFSUPPORT PYTHON_PRESITE PYTHON_HISTORY PYTHON_BASIC_REPL
    PERL5OPT PERL5LIB PERL5DB PERL5SHELL PERLLIB PERL_HASH_SEED_DEBUG PERL_SIGNALS
    RUBYOPT RUBYLIB RUBYPATH RUBYSHELL GEM_HOME GEM_PATH BUNDLE_GEMFILE
    NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED NODE_REPL_HISTORY
    JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS CLASSPATH LUA_PATH LUA_CPATH LUA_INIT
    GIT_EXEC_PATH GIT_TEMPLATE_DIR GIT_DIR GIT_WORK_TREE GIT_COMMON_DIR GIT_INDEX_FILE
    GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_NAMESPACE GIT_ASKPASS
    GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_PAGER GIT_EXTERNAL_DIFF GIT_PROXY_COMMAND
    GIT_ALLOW_PROTOCOL GIT_PROTOCOL_FROM_USER GIT_CEILING_DIRECTORIES
    GIT_DISCOVERY_ACROSS_FILESYSTEM GIT_ATTR_SOURCE GIT_ATTR_NOSYSTEM GIT_REPLACE_REF_BASE
    SSH_AUTH_SOCK SSH_SK_PROVIDER SSH_CONNECTION SSH_ORIGINAL_COMMAND
    BROWSER EDITOR VISUAL PAGER MANPAGER LESSOPEN LESSCLOSE LESSKEY LESSKEYIN LESS
    MAKEFLAGS MAKEFILES GNUMAKEFLAGS TAR_OPTIONS GREP_OPTIONS ZIPOPT UNZIP UNZIPOPT
    RSYNC_RSH CVS_RSH SUDO_ASKPASS
    OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES SSLKEYLOGFILE REQUESTS_CA_BUNDLE
    GNUTLS_SYSTEM_PRIORITY_FILE WGETRC NETRC
    HTTP_PROXY HTTPS_PROXY FTP_PROXY ALL_PROXY NO_PROXY RSYNC_PROXY
    http_proxy https_proxy ftp_proxy all_proxy no_proxy
    DOCKER_HOST DOCKER_CONFIG DOCKER_CONTEXT DOCKER_CERT_PATH DOCKER_TLS_VERIFY
    TRACEPARENT
    """
    )
)
"""Names that callers and runbooks can't set: they affect how programs run."""

RESERVED_PREFIXES = (
    "RUNBOOK_",
    "LD_",
    "DYLD_",
    "BASH_FUNC_",
    "GIT_SSH",
    "GIT_CONFIG",
    "GIT_SSL_",
    "GIT_PROXY_SSL_",
    "GIT_TRACE",
    "GIT_REDIRECT_",
    "SSH_ASKPASS",
    "SSL_CERT_",
    "CURL_",
    "KRB5",
    "XDG_",
    "TERMINFO",
    "GLIBC_TUNABLES",
)
"""Reserved name prefixes, for the same reason."""

_SET_BY_ZSH = _words(
    """
    ARGC COLUMNS CPUTYPE EGID EUID ERRNO FUNCNEST GID HISTCHARS HISTCMD HISTSIZE KEYBOARD_HACK
    KEYTIMEOUT LINENO LINES LISTMAX MACHTYPE MAILCHECK OPTIND OSTYPE PPID RANDOM SAVEHIST
    SECONDS TRY_BLOCK_ERROR TRY_BLOCK_INTERRUPT TTY TTYIDLE UID USERNAME VENDOR ZSH_ARGZERO
    ZSH_EVAL_CONTEXT ZSH_EXECUTION_STRING ZSH_NAME ZSH_PATCHLEVEL ZSH_SUBSHELL ZSH_VERSION
    argv cdpath fignore fpath histchars mailpath manpath module_path path pipestatus psvar
    signals status zsh_eval_context
    """
)


def valid_name(name: str) -> bool:
    return VARIABLE_NAME.fullmatch(name) is not None


def is_reserved(name: str) -> bool:
    """Whether callers and runbooks can't set this name."""
    return name in RESERVED or name.startswith(RESERVED_PREFIXES)


def not_passed(name: str) -> str | None:
    """The reason why an operator can't pass a server variable to scripts; None if they can."""
    if not valid_name(name):
        return "it is not a valid name"
    if name in BASE_NAMES or name.startswith("RUNBOOK_"):
        return "the engine sets it for each run"
    if name in SETTING_NAMES:
        return "it is a setting of the server"
    return None


def set_by_zsh(name: str) -> bool:
    """Whether zsh overwrites this variable at startup, so that a given value is lost."""
    return name in _SET_BY_ZSH


def check_value(name: str, value: str) -> Problem | None:
    """The reason why a value can't be passed to a program; None if it can."""
    try:
        size = len(value.encode("utf-8"))
    except UnicodeEncodeError:
        return Problem(
            "bad_value",
            f"The value of {name} is not valid Unicode (lone surrogate)",
            params={"variable": name},
        )
    if "\0" in value:
        return Problem(
            "bad_value", f"The value of {name} contains a NUL character", params={"variable": name}
        )
    if size > VALUE_LIMIT:
        limit = VALUE_LIMIT // 1024
        text = f"The value of {name} is too long: {size} bytes (max: {limit} KiB)"
        return Problem(
            "value_too_long",
            text,
            hint="Pass it as an input file",
            params={"variable": name, "bytes": size, "limit": VALUE_LIMIT},
        )
    return None


def check_total(values: Mapping[str, str]) -> Problem | None:
    """The reason why all values together can't be passed to a program; None if they can."""
    size = sum(len(name) + len(text.encode("utf-8", "replace")) for name, text in values.items())
    if size <= TOTAL_LIMIT:
        return None
    limit = TOTAL_LIMIT // 1024
    text = f"The environment variables are too large in total: {size} bytes (max: {limit} KiB)"
    return Problem(
        "values_too_long",
        text,
        hint="Pass long values as input files",
        params={"bytes": size, "limit": TOTAL_LIMIT},
    )


@dataclass(frozen=True, slots=True)
class BaseVariables:
    """The base variables of every script. `path` is a search path, `home` and `tmpdir` are paths.

    `user` is the name of the user that scripts run as.
    """

    path: str
    home: str
    tmpdir: str
    lang: str = "C.UTF-8"
    tz: str = "UTC"
    user: str = ""

    def defaults(self) -> dict[str, str]:
        """What programs expect to be set, unless a runbook or the operator sets it."""
        users = {"USER": self.user, "LOGNAME": self.user} if self.user else {}
        return {"TERM": "dumb", **users}

    def as_environment(self) -> dict[str, str]:
        return {
            "PATH": self.path,
            "HOME": self.home,
            "LANG": self.lang,
            "TZ": self.tz,
            "TMPDIR": self.tmpdir,
        }


@dataclass(frozen=True, slots=True)
class RunVariables:
    """The variables that describe a run to its script.

    `chain` lists the refs from the outermost runbook to this one. `output`, `env`, `progress`,
    `plan`, `mask`, `effects`, `summary` and `devices` are files that the script can write,
    `artifacts` is a folder. `call_socket` is the socket for `runbook call`; empty if a server
    handles calls. `connections` is the folder with the run's connections; empty if it has none.
    `backups` is the folder with the configurations of devices, `requested_by` a token's subject.
    `recovers` is the run that this one recovers, if any.
    """

    api_token: str
    correlation_id: str
    url: str
    chain: tuple[str, ...]
    exec_dir_host: str
    run_id: str
    output: str
    env: str
    progress: str
    plan: str
    mask: str
    effects: str
    summary: str
    artifacts: str
    dry_run: bool = False
    call_socket: str = ""
    connections: str = ""
    devices: str = ""
    backups: str = ""
    requested_by: str = ""
    recovers: str = ""

    def as_environment(self) -> dict[str, str]:
        stack = json.dumps(list(self.chain))
        headers = {
            "RUNBOOK_H_AUTH": f"Authorization: Bearer {self.api_token}",
            "RUNBOOK_H_CORR": f"X-Correlation-Id: {self.correlation_id}",
            "RUNBOOK_H_RECUR": f"X-Recursion-Stack: {stack}",
            "RUNBOOK_H_CTYPE": "Content-Type: application/json",
        }
        socket = {"RUNBOOK_SOCKET": self.call_socket} if self.call_socket else {}
        folder = {"RUNBOOK_CONNECTIONS": self.connections} if self.connections else {}
        recovered = {"RUNBOOK_RECOVERS": self.recovers} if self.recovers else {}
        return {
            **headers,
            **socket,
            **folder,
            **recovered,
            "RUNBOOK_HEADERS": " ".join(f"-H {shlex.quote(text)}" for text in headers.values()),
            "RUNBOOK_API_TOKEN": self.api_token,
            "RUNBOOK_CORRELATION_ID": self.correlation_id,
            "RUNBOOK_URL": self.url,
            "RUNBOOK_RECURSION_STACK": stack,
            "RUNBOOK_EXEC_DIR_HOST": self.exec_dir_host,
            "RUNBOOK_RUN_ID": self.run_id,
            "RUNBOOK_OUTPUT": self.output,
            "RUNBOOK_ENV": self.env,
            "RUNBOOK_PROGRESS": self.progress,
            "RUNBOOK_PLAN": self.plan,
            "RUNBOOK_MASK": self.mask,
            "RUNBOOK_EFFECTS": self.effects,
            "RUNBOOK_SUMMARY": self.summary,
            "RUNBOOK_DEVICES": self.devices,
            "RUNBOOK_BACKUPS": self.backups,
            "RUNBOOK_REQUESTED_BY": self.requested_by,
            "RUNBOOK_ARTIFACTS": self.artifacts,
            # Empty for a real run, so that `[ -n ... ]`, `= 1` and `(( ... ))` all work as tests.
            "RUNBOOK_DRY_RUN": "1" if self.dry_run else "",
        }


def child_env(
    *,
    inputs: Mapping[str, str],
    passed: Mapping[str, str],
    run: RunVariables,
    base: BaseVariables,
) -> dict[str, str]:
    """The complete environment of a script.

    `inputs` are the caller's values; reserved names are dropped. `passed` are the operator's
    variables for every script; they override inputs. The base and the run's own variables override
    both, except for the base's defaults. The server's secrets are never included.
    """
    given = {name: value for name, value in inputs.items() if not is_reserved(name)}
    allowed = {name: value for name, value in passed.items() if name not in SERVER_SECRETS}
    return base.defaults() | given | allowed | base.as_environment() | run.as_environment()
