/* Prints the layout of the public Xen structures that tests/UnitTests/Abi/PublicLayout.txt holds:
   gcc -o layout tools/abi-layout.c && ./layout > tests/UnitTests/Abi/PublicLayout.txt   (needs Debian's libxen-dev) */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/memory.h>
#include <xen/vcpu.h>
#include <xen/physdev.h>
#include <xen/callback.h>
#define SIZE(name, type) printf("%s - %zu\n", name, sizeof(type))
#define FIELD(name, field, type, member) printf("%s %s %zu\n", name, field, offsetof(type, member))
int main(void)
{
    SIZE("VcpuInfo", struct vcpu_info);
    FIELD("VcpuInfo", "UpcallPending", struct vcpu_info, evtchn_upcall_pending);
    FIELD("VcpuInfo", "UpcallMask", struct vcpu_info, evtchn_upcall_mask);
    FIELD("VcpuInfo", "PendingSelector", struct vcpu_info, evtchn_pending_sel);
    FIELD("VcpuInfo", "Cr2", struct vcpu_info, arch.cr2);
    FIELD("VcpuInfo", "Time", struct vcpu_info, time);
    SIZE("VcpuTimeInfo", struct vcpu_time_info);
    FIELD("VcpuTimeInfo", "Version", struct vcpu_time_info, version);
    FIELD("VcpuTimeInfo", "TscTimestamp", struct vcpu_time_info, tsc_timestamp);
    FIELD("VcpuTimeInfo", "SystemTime", struct vcpu_time_info, system_time);
    FIELD("VcpuTimeInfo", "TscToSystemMultiplier", struct vcpu_time_info, tsc_to_system_mul);
    FIELD("VcpuTimeInfo", "TscShift", struct vcpu_time_info, tsc_shift);
    FIELD("VcpuTimeInfo", "Flags", struct vcpu_time_info, flags);
    SIZE("TrapInfo", struct trap_info);
    FIELD("TrapInfo", "Vector", struct trap_info, vector);
    FIELD("TrapInfo", "Flags", struct trap_info, flags);
    FIELD("TrapInfo", "Address", struct trap_info, address);
    SIZE("MmuUpdate", struct mmu_update);
    SIZE("MmuExtendedOp", struct mmuext_op);
    SIZE("MulticallEntry", struct multicall_entry);
    SIZE("MemoryReservation", struct xen_memory_reservation);
    FIELD("MemoryReservation", "ExtentStart", struct xen_memory_reservation, extent_start);
    FIELD("MemoryReservation", "ExtentCount", struct xen_memory_reservation, nr_extents);
    FIELD("MemoryReservation", "ExtentOrder", struct xen_memory_reservation, extent_order);
    FIELD("MemoryReservation", "MemoryFlags", struct xen_memory_reservation, mem_flags);
    FIELD("MemoryReservation", "DomainId", struct xen_memory_reservation, domid);
    SIZE("MemoryExchange", struct xen_memory_exchange);
    FIELD("MemoryExchange", "In", struct xen_memory_exchange, in);
    FIELD("MemoryExchange", "Out", struct xen_memory_exchange, out);
    FIELD("MemoryExchange", "ExchangedCount", struct xen_memory_exchange, nr_exchanged);
    SIZE("VcpuRunstateInfo", struct vcpu_runstate_info);
    FIELD("VcpuRunstateInfo", "State", struct vcpu_runstate_info, state);
    FIELD("VcpuRunstateInfo", "EntryTime", struct vcpu_runstate_info, state_entry_time);
    FIELD("VcpuRunstateInfo", "Running", struct vcpu_runstate_info, time);
    SIZE("IretContext", struct iret_context);
    SIZE("CallbackRegister", struct callback_register);
    FIELD("CallbackRegister", "Type", struct callback_register, type);
    FIELD("CallbackRegister", "Flags", struct callback_register, flags);
    FIELD("CallbackRegister", "Address", struct callback_register, address);
    SIZE("PhysdevMapPirq", struct physdev_map_pirq);
    FIELD("PhysdevMapPirq", "DomainId", struct physdev_map_pirq, domid);
    FIELD("PhysdevMapPirq", "Type", struct physdev_map_pirq, type);
    FIELD("PhysdevMapPirq", "Index", struct physdev_map_pirq, index);
    FIELD("PhysdevMapPirq", "Pirq", struct physdev_map_pirq, pirq);
    FIELD("PhysdevMapPirq", "Bus", struct physdev_map_pirq, bus);
    FIELD("PhysdevMapPirq", "DeviceFunction", struct physdev_map_pirq, devfn);
    FIELD("PhysdevMapPirq", "EntryNumber", struct physdev_map_pirq, entry_nr);
    FIELD("PhysdevMapPirq", "TableBase", struct physdev_map_pirq, table_base);
    FIELD("StartInfoLayout", "PageCount", struct start_info, nr_pages);
    FIELD("StartInfoLayout", "SharedInfo", struct start_info, shared_info);
    FIELD("StartInfoLayout", "Flags", struct start_info, flags);
    FIELD("StartInfoLayout", "StoreMfn", struct start_info, store_mfn);
    FIELD("StartInfoLayout", "StoreEventChannel", struct start_info, store_evtchn);
    FIELD("StartInfoLayout", "ConsoleMfn", struct start_info, console.domU.mfn);
    FIELD("StartInfoLayout", "ConsoleInfoOffset", struct start_info, console.dom0.info_off);
    FIELD("StartInfoLayout", "ConsoleInfoBytes", struct start_info, console.dom0.info_size);
    FIELD("StartInfoLayout", "ConsoleEventChannel", struct start_info, console.domU.evtchn);
    FIELD("StartInfoLayout", "PageTableBase", struct start_info, pt_base);
    FIELD("StartInfoLayout", "PageTableFrames", struct start_info, nr_pt_frames);
    FIELD("StartInfoLayout", "MfnList", struct start_info, mfn_list);
    FIELD("StartInfoLayout", "ModuleStart", struct start_info, mod_start);
    FIELD("StartInfoLayout", "ModuleBytes", struct start_info, mod_len);
    FIELD("StartInfoLayout", "CommandLine", struct start_info, cmd_line);
    FIELD("StartInfoLayout", "FirstP2mPfn", struct start_info, first_p2m_pfn);
    FIELD("StartInfoLayout", "P2mFrameCount", struct start_info, nr_p2m_frames);
    printf("StartInfoLayout Bytes %zu\n", sizeof(struct start_info));
    FIELD("SharedInfoLayout", "EventPending", struct shared_info, evtchn_pending);
    FIELD("SharedInfoLayout", "EventMask", struct shared_info, evtchn_mask);
    FIELD("SharedInfoLayout", "WallClockVersion", struct shared_info, wc_version);
    FIELD("SharedInfoLayout", "WallClockSeconds", struct shared_info, wc_sec);
    FIELD("SharedInfoLayout", "WallClockNanoseconds", struct shared_info, wc_nsec);
    FIELD("SharedInfoLayout", "WallClockSecondsHigh", struct shared_info, wc_sec_hi);
    FIELD("SharedInfoLayout", "ArchMaximumPfn", struct shared_info, arch.max_pfn);
    return 0;
}
