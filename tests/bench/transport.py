"""Measures uploads to S3 and SFTP against the tools that everybody has: transport.py UPLOAD AWS [--megabytes N] [--runs N] [--work DIR]

UPLOAD is the program of destinations/examples/upload.rs, built in release; AWS is the `aws` of awscli. Servers are started here, anew for
each run, and their data removed after it: SeaweedFS for S3, OpenSSH for SFTP. Herald and the other tool run by turns, so that what else
the machine does meets both. The other tool sends a file of the same bytes, which lies in the page cache; Herald makes, encodes and hashes
its bytes as it sends them. Prints a line a run, then medians of the speeds and of the turns' ratios as JSON.
"""

import argparse
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

CACHE = pathlib.Path(os.environ.get("HERALD_CACHE", pathlib.Path.home() / ".cache/herald"))
KEY, SECRET, BUCKET = "HERALDBENCH000001", "herald-bench-secret", "partner"


def ports(number):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    found = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return found


def until(ready, what):
    deadline = time.monotonic() + 60
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not start")
        time.sleep(0.2)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def stop(process):
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def timed(command, **more):
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    seconds = time.monotonic() - began
    if done.returncode:
        raise SystemExit(f"{command[0]} failed: {done.stdout}{done.stderr}")
    return seconds, done.stdout


def herald(upload, megabytes, target):
    """Seconds, as the program measures them: from the first byte to the commit."""
    _, said = timed([upload, str(megabytes), json.dumps(target)])
    return float(said.split(" bytes in ")[1].split(" s")[0]), said.splitlines()[0]


class S3:
    name, other = "S3 (SeaweedFS)", "aws s3 cp"

    def __init__(self, folder, arguments):
        self.folder, self.arguments = folder, arguments
        config = folder / "s3.json"
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        identity = {"name": "bench", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": actions}
        config.write_text(json.dumps({"identities": [identity]}))
        names = ["s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"]
        found = dict(zip(names, ports(len(names))))
        self.port = found["s3.port"]
        command = [CACHE / "venv/bin/weed", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-master.telemetry=false"]
        command += ["-volume.max=100", "-master.volumeSizeLimitMB=1024", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-dir={folder}", f"-s3.config={config}"]
        with (folder / "log").open("w") as log:
            self.server = subprocess.Popen(command + [f"-{flag}={port}" for flag, port in found.items()], stdout=log, stderr=log)
        self.environment = os.environ | {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
        make = self.aws("s3", "mb", f"s3://{BUCKET}")
        until(lambda: subprocess.run(make, env=self.environment, capture_output=True, check=False).returncode == 0, "SeaweedFS")

    def aws(self, *arguments):
        return [self.arguments.aws, "--endpoint-url", f"http://127.0.0.1:{self.port}", *arguments]

    def herald(self):
        target = {"type": "s3", "bucket": BUCKET, "region": "us-east-1", "endpoint": f"http://127.0.0.1:{self.port}", "path_style": True, "access_key_id": KEY, "secret_access_key": SECRET}
        return herald(self.arguments.upload, self.arguments.megabytes, target)

    def others(self, file):
        return timed(self.aws("s3", "cp", "--only-show-errors", str(file), f"s3://{BUCKET}/file"), env=self.environment)


class Sftp:
    name, other = "SFTP (OpenSSH)", "sftp put"

    def __init__(self, folder, arguments):
        self.folder, self.arguments = folder, arguments
        (self.port,) = ports(1)
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
        shutil.copy(folder / "user.pub", folder / "authorized_keys")
        os.makedirs("/run/sshd", exist_ok=True)
        config = folder / "config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nAuthorizedKeysFile {folder}/authorized_keys\n"
            "StrictModes no\nUsePAM no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
        )
        with (folder / "log").open("w") as log:
            self.server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config], stdout=log, stderr=log)
        until(lambda: listens(self.port), "sshd")
        self.user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        (folder / "in").mkdir()

    def herald(self):
        fingerprint = subprocess.run(["ssh-keygen", "-lf", self.folder / "host.pub"], capture_output=True, text=True, check=True).stdout.split()[1]
        target = {"type": "sftp", "host": "127.0.0.1", "port": self.port, "user": self.user, "path": str(self.folder / "in"), "host_key": fingerprint, "private_key": (self.folder / "user").read_text()}
        return herald(self.arguments.upload, self.arguments.megabytes, target)

    def others(self, file):
        batch = self.folder / "batch"
        batch.write_text(f"put {file} {self.folder}/in/file\n")
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", f"IdentityFile={self.folder}/user", "-o", "IdentitiesOnly=yes"]
        return timed(["sftp", "-q", "-b", str(batch), "-P", str(self.port), *options, f"{self.user}@127.0.0.1"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("upload")
    parser.add_argument("aws")
    parser.add_argument("--megabytes", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", default=tempfile.gettempdir())
    parser.add_argument("--only", choices=["s3", "sftp"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.work) as work:
        work = pathlib.Path(work)
        # The very bytes that Herald sends, written by itself.
        _, said = timed([arguments.upload, str(arguments.megabytes), json.dumps({"type": "local", "path": str(work / "file")})])
        file = work / "file" / said.splitlines()[1].split(" ", 1)[1]
        size = file.stat().st_size
        for kind in [one for one in (S3, Sftp) if arguments.only in (None, one.__name__.lower())]:
            took = {"herald": [], "other": []}
            for run in range(arguments.runs * 2):
                who = "herald" if run % 2 == 0 else "other"
                folder = pathlib.Path(tempfile.mkdtemp(dir=work))
                server = kind(folder, arguments)
                # Outside of what is timed: what the last run wrote goes to the disk, the file comes from memory.
                os.sync()
                with file.open("rb") as bytes_of:
                    while bytes_of.read(1 << 24):
                        pass
                try:
                    seconds, _ = server.herald() if who == "herald" else server.others(file)
                finally:
                    stop(server.server)
                    shutil.rmtree(folder, ignore_errors=True)
                took[who].append(size / seconds / 1e6)
                print(f"{kind.name}: {who if who == 'herald' else kind.other}: {size / seconds / 1e6:.0f} MB/s", flush=True)
            ratio = statistics.median(one / other for one, other in zip(took["herald"], took["other"]))
            ours, theirs = statistics.median(took["herald"]), statistics.median(took["other"])
            print(json.dumps({"what": kind.name, "bytes": size, "herald": round(ours), kind.other: round(theirs), "ratio": round(ratio, 2)}), flush=True)


main()
