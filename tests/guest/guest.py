# SPDX-License-Identifier: MIT
"""Runs a shell script as root in a QEMU guest with Debian's PREEMPT_RT kernel and sound cards.

The guest sees this machine's root file system read-only (9p), so nothing is copied into it, and a
folder /tmp/share that can be written. It has snd-dummy, snd-aloop and an HDA card whose output lands
in a WAV file on this machine. No KVM: the processor is emulated, so times mean nothing; what counts
is that the kernel's own sound drivers, real-time scheduler and limits are real.

Kernel and modules come from the Debian package, unpacked once into TACTUS_GUEST_ROOT (default
/var/cache/tactus-guest).
"""
import glob
import os
import pathlib
import re
import shutil
import subprocess

from audio_servers import Skip, need

CACHE = pathlib.Path(os.environ.get("TACTUS_GUEST_ROOT", "/var/cache/tactus-guest"))
META = "linux-image-rt-amd64"
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "snd-hda-codec-generic", "snd-hda-intel", "snd-dummy",
           "snd-aloop")

INIT = """#!/bin/sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm; mount -t devpts pts /dev/pts; mount -t tmpfs shm /dev/shm
for module in {modules}; do modprobe $module; done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro host /new
mount -t tmpfs tmp /new/tmp; mkdir /new/tmp/share
mount -t 9p -o trans=virtio,version=9p2000.L share /new/tmp/share
for part in proc sys dev; do mount --rbind /$part /new/$part; done
ip link set lo up
chroot /new /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp \\
    bash /tmp/share/script >/new/tmp/share/output 2>&1
echo $? >/new/tmp/share/status
sync; poweroff -f
"""


def run(command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, **more)


def kernel_package():
    """The package that the name of the newest real-time kernel stands for."""
    depends = run(["apt-cache", "depends", META]).stdout
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    if not found:
        raise Skip(f"apt knows no {META} (apt-get update)")
    return found.group(1)


def unpacked_kernel():
    """Returns (folder, version) of an unpacked kernel with its list of modules."""
    package = kernel_package()
    folder, version = CACHE / package, package.removeprefix("linux-image-")
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        got = run(["apt-get", "download", package], cwd=folder)
        debs = list(folder.glob("*.deb"))
        if not debs:
            raise Skip(f"{package} cannot be downloaded: {got.stderr.strip()[:200]}")
        for step in (["dpkg-deb", "-x", str(debs[0]), str(folder)],
                     ["depmod", "-b", str(folder), version]):
            done = run(step)
            assert done.returncode == 0, done.stderr
        debs[0].unlink()
        (folder / "complete").touch()
    return folder, version


def module_files(folder, version):
    files = []
    for module in MODULES:
        shown = run(["modprobe", "-d", str(folder), "-S", version, "--show-depends", module])
        assert shown.returncode == 0, shown.stderr
        files += [line.split()[1] for line in shown.stdout.splitlines()
                  if line.startswith("insmod")]
    return list(dict.fromkeys(files))


def make_initrd(folder, version, target):
    root = target.parent / "initrd"
    for part in ("bin", "proc", "sys", "dev", "new"):
        (root / part).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    (root / "bin/sh").symlink_to("busybox")
    for file in module_files(folder, version):
        place = root / os.path.relpath(file, folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    base = root / "lib/modules" / version
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copy(folder / "lib/modules" / version / name, base / name)
    assert run(["depmod", "-b", str(root), version]).returncode == 0
    init = root / "init"
    init.write_text(INIT.format(modules=" ".join(MODULES)), encoding="utf-8")
    init.chmod(0o755)
    done = run(["sh", "-c", f"cd {root} && find . | cpio -o -H newc --quiet | gzip -1 >{target}"])
    assert done.returncode == 0, done.stderr


def boot(folder, script, seconds=150):
    """Runs the script; returns (status, output). The share is folder/share, the sound of the HDA card
    folder/card.wav."""
    need("qemu-system-x86_64", "cpio", "depmod", install="guest")
    if not os.path.exists("/bin/busybox"):
        raise Skip("there is no busybox (tools/bootstrap guest)")
    if os.uname().machine != "x86_64" or not shutil.which("apt-get"):
        raise Skip("the guest is made for Debian on x86-64")
    folder = pathlib.Path(folder)
    share = folder / "share"
    share.mkdir(exist_ok=True)
    (share / "script").write_text(script, encoding="utf-8")
    kernel, version = unpacked_kernel()
    make_initrd(kernel, version, folder / "initrd.gz")
    command = ["timeout", "-k", "5", str(seconds), "qemu-system-x86_64", "-accel", "tcg", "-smp", "1",
               "-m", "1024", "-nographic", "-nic", "none", "-no-reboot",
               "-kernel", glob.glob(f"{kernel}/boot/vmlinuz-*")[0],
               "-initrd", str(folder / "initrd.gz"), "-append", "console=ttyS0 quiet panic=1",
               "-virtfs", "local,path=/,mount_tag=host,security_model=passthrough,readonly=on,"
               "multidevs=remap",
               "-virtfs", f"local,path={share},mount_tag=share,security_model=none",
               "-audiodev", f"wav,id=a0,path={folder}/card.wav,out.frequency=48000",
               "-device", "intel-hda", "-device", "hda-duplex,audiodev=a0,mixer=off"]
    console = run(command)
    status = share / "status"
    output = (share / "output").read_text(errors="replace") if (share / "output").exists() else ""
    assert status.exists(), f"the guest did not come to an end: {console.stdout[-600:]} {output}"
    return int(status.read_text()), output
