"""An SFTP server with the faults of others, on asyncssh: quirky.py PORT HOST_KEY AUTHORIZED_KEYS

Who logs in says which: QUIRK.TIMES.WORD, such as `full.1.x`. The word keeps the counts of tests apart, and is the
password too, behind `secret-`. Times without an end: `all`. A user without a quirk is `none.all.x`.
"""

import asyncio
import sys
from collections import Counter

import asyncssh

left = Counter()
seen = set()


def parts(user):
    quirk, times, word = (user.split(".") + ["all", "x"])[:3]
    return quirk, times, word


def strikes(user, wanted):
    """Whether this request is one that goes wrong."""
    quirk, times, _ = parts(user)
    if quirk != wanted:
        return False
    if times == "all":
        return True
    if user not in seen:
        seen.add(user)
        left[user] = int(times)
    left[user] -= 1
    return left[user] >= 0


class Login(asyncssh.SSHServer):
    def begin_auth(self, username):
        self.user = username
        return True

    def public_key_auth_supported(self):
        return parts(self.user)[0] not in ("password", "prompts")

    def password_auth_supported(self):
        return parts(self.user)[0] == "password"

    def validate_password(self, username, password):
        return password == "secret-" + parts(username)[2]

    def kbdint_auth_supported(self):
        return parts(self.user)[0] == "prompts"

    def get_kbdint_challenge(self, username, lang, submethods):
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username, responses):
        return responses == ["secret-" + parts(username)[2]]


class Files(asyncssh.SFTPServer):
    def __init__(self, chan):
        self.chan = chan
        self.user = chan.get_extra_info("username")
        super().__init__(chan)

    def cut(self):
        self.chan.get_connection().abort()

    async def open(self, path, pflags, attrs):
        if attrs.permissions is not None:
            raise asyncssh.SFTPOpUnsupported("attributes are not taken")
        if pflags & asyncssh.FXF_WRITE:
            if strikes(self.user, "throttled"):
                raise asyncssh.SFTPFailure("Please reduce your request rate: SlowDown")
            if strikes(self.user, "broken"):
                raise asyncssh.SFTPFailure("Service Unavailable")
        return super().open(path, pflags, attrs)

    def mkdir(self, path, attrs):
        if attrs.permissions is not None:
            raise asyncssh.SFTPOpUnsupported("attributes are not taken")
        super().mkdir(path, attrs)

    async def write(self, file_obj, offset, data):
        if strikes(self.user, "full"):
            raise asyncssh.SFTPFailure("No space left on device")
        if strikes(self.user, "quota"):
            raise asyncssh.SFTPQuotaExceeded("Quota exceeded")
        if strikes(self.user, "cut_write"):
            self.cut()
        if strikes(self.user, "hang"):
            await asyncio.sleep(30)
        if strikes(self.user, "late"):
            await asyncio.sleep(0.2)
        if strikes(self.user, "short"):
            data = data[:-1]
        return super().write(file_obj, offset, data)

    def rename(self, oldpath, newpath):
        if strikes(self.user, "no_rename"):
            raise asyncssh.SFTPOpUnsupported("rename is not supported")
        if strikes(self.user, "denied"):
            raise asyncssh.SFTPPermissionDenied("no more")
        super().rename(oldpath, newpath)
        if strikes(self.user, "lose_rename"):
            self.cut()

    def posix_rename(self, oldpath, newpath):
        super().posix_rename(oldpath, newpath)
        if strikes(self.user, "lose_replace"):
            self.cut()

    async def scandir(self, path):
        if strikes(self.user, "traversal"):
            attributes = asyncssh.SFTPAttrs(permissions=0o100644, size=1)
            for name in (b"../../etc/passwd", b"..\\x", b"/etc/shadow", b"a/b", b"", b"bad\nname", b"\xff\xfe"):
                yield asyncssh.SFTPName(name, attrs=attributes)
        async for name in super().scandir(path):
            yield name

    def refuse(self, *_):
        raise asyncssh.SFTPOpUnsupported("attributes are not taken")

    setstat = fsetstat = lsetstat = refuse


class Handler(asyncssh.sftp.SFTPServerHandler):
    """Advertises no extension to users whose server is plain."""

    def __init__(self, server, reader, writer, sftp_version):
        super().__init__(server, reader, writer, sftp_version)
        if parts(server.user)[0] in ("plain", "no_rename", "full", "quota"):
            self._extensions = []


asyncssh.sftp.SFTPServerHandler = Handler


async def main(port, host_key, authorized):
    await asyncssh.create_server(
        Login,
        "127.0.0.1",
        int(port),
        server_host_keys=[host_key],
        authorized_client_keys=authorized,
        sftp_factory=Files,
        sftp_version=3,
    )
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
