import type { constants } from 'node:os';

// A seccomp filter of four instructions: load the number, compare, give the errno or go on.
const program = `
import ctypes, os, struct, sys
number, errno = int(sys.argv[1]), int(sys.argv[2])
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | errno), (0x06, 0, 0, 0x7fff0000)]
filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(filter)))
libc = ctypes.CDLL(None, use_errno=True)
for call in ((38, 1, 0, 0, 0), (22, 2, ctypes.byref(head), 0, 0)):
    if libc.prctl(*call) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
os.execv(sys.argv[3], sys.argv[3:])
`;

/** Numbers of x86-64 (asm/unistd_64.h). */
const numbers = { clone3: 435, openat2: 437 } as const;

/** The command line that runs a program as in a container whose seccomp filter answers a system call with an errno. */
export function withoutSyscall(
  syscall: keyof typeof numbers,
  errno: (typeof constants.errno)[keyof typeof constants.errno],
  argv: readonly string[],
): string[] {
  return ['python3', '-c', program, String(numbers[syscall]), String(errno), ...argv];
}
