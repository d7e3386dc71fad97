// SPDX-License-Identifier: (MIT OR GPL-2.0)
/*
 * MOVDIR64B for a guest kernel whose CPU does not have it: QEMU's translator does not, and KVM cannot
 * emulate it on a device's memory. The idxd driver submits its descriptors by this instruction
 * (66 0f 38 f8 /r, 64 bytes from memory to the address in a register); here the undefined-instruction
 * trap is taken and the descriptor is written in a way that the device understands (docs/device.md):
 *
 *   by reference  one write of 4 bytes to the slot: the descriptor's physical address / 64. One exit of
 *                 the guest instead of eight. Only for sources in the linear mapping, as idxd's are.
 *   by value      eight writes of 8 bytes, under one lock: two CPUs may get the same slot.
 */
#include <linux/io.h>
#include <linux/kdebug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/spinlock.h>
#include <asm/trapnr.h>

#define DESCRIPTOR_BYTES 64

static bool by_value;
module_param(by_value, bool, 0644);
MODULE_PARM_DESC(by_value, "write every descriptor by eight writes");

static DEFINE_RAW_SPINLOCK(write_lock);

static unsigned long *register_of(struct pt_regs *regs, unsigned int number)
{
	switch (number) {
	case 0: return &regs->ax;
	case 1: return &regs->cx;
	case 2: return &regs->dx;
	case 3: return &regs->bx;
	case 4: return &regs->sp;
	case 5: return &regs->bp;
	case 6: return &regs->si;
	case 7: return &regs->di;
	case 8: return &regs->r8;
	case 9: return &regs->r9;
	case 10: return &regs->r10;
	case 11: return &regs->r11;
	case 12: return &regs->r12;
	case 13: return &regs->r13;
	case 14: return &regs->r14;
	default: return &regs->r15;
	}
}

/*
 * The source operand of a ModRM byte with what follows it, `after` bytes long; NULL for forms that are not
 * the 64-bit addressing of memory by a register. Intel SDM, volume 2, section 2.1.5.
 */
static void *source_of(struct pt_regs *regs, const u8 *modrm, unsigned int rex, unsigned int *after)
{
	unsigned int mod = *modrm >> 6, rm = *modrm & 7;
	unsigned long address;

	*after = 1;
	if (mod == 3 || rm == 4 || (mod == 0 && rm == 5))
		return NULL;
	address = *register_of(regs, rm | (rex & 1) << 3);
	if (mod == 1) {
		address += (s8)modrm[1];
		*after = 2;
	} else if (mod == 2) {
		address += *(const s32 *)(modrm + 1);
		*after = 5;
	}
	return (void *)address;
}

static void submit(void __iomem *slot, const u64 *descriptor)
{
	unsigned long flags, reference;
	int i;

	/* What the descriptor points to has to be there before the device looks. */
	wmb();
	if (!by_value && virt_addr_valid(descriptor) &&
	    IS_ALIGNED((unsigned long)descriptor, DESCRIPTOR_BYTES)) {
		reference = virt_to_phys((void *)descriptor) / DESCRIPTOR_BYTES;
		if (reference <= U32_MAX) {
			writel(reference, slot);
			return;
		}
	}
	raw_spin_lock_irqsave(&write_lock, flags);
	for (i = 0; i < DESCRIPTOR_BYTES / 8; i++)
		writeq(descriptor[i], slot + 8 * i);
	raw_spin_unlock_irqrestore(&write_lock, flags);
}

static int on_trap(struct notifier_block *block, unsigned long event, void *data)
{
	struct die_args *args = data;
	struct pt_regs *regs = args->regs;
	unsigned int rex = 0, after;
	const u8 *code;
	void *source;

	if (args->trapnr != X86_TRAP_UD || user_mode(regs))
		return NOTIFY_DONE;
	code = (const u8 *)regs->ip;
	if (*code++ != 0x66)
		return NOTIFY_DONE;
	if ((*code & 0xf0) == 0x40)
		rex = *code++;
	if (code[0] != 0x0f || code[1] != 0x38 || code[2] != 0xf8)
		return NOTIFY_DONE;
	code += 3;
	source = source_of(regs, code, rex, &after);
	if (!source)
		return NOTIFY_DONE;
	submit((void __iomem *)*register_of(regs, (*code >> 3 & 7) | (rex & 4) << 1), source);
	regs->ip = (unsigned long)(code + after);
	return NOTIFY_STOP;
}

static struct notifier_block on_trap_block = {
	.notifier_call = on_trap,
	.priority = INT_MAX,
};

static int __init iaa_shim_init(void)
{
	return register_die_notifier(&on_trap_block);
}

static void __exit iaa_shim_exit(void)
{
	unregister_die_notifier(&on_trap_block);
}

module_init(iaa_shim_init);
module_exit(iaa_shim_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("MOVDIR64B for iaa-zswap's software IAA device");
