import CLinux
import Glibc
import Linux
import SystemPackage

/// The device controller of cgroup v2: a program in the kernel, attached to the container's directory.
///
/// - Note: bpf(2); linux/bpf.h, `BPF_PROG_TYPE_CGROUP_DEVICE` and `BPF_F_ALLOW_MULTI`.
enum DeviceFilter {
    /// By this name of ours an update finds the program that it replaces: systemd may have attached others.
    private static let name: [UInt8] = Array("apus_devices".utf8)

    /// The commands and numbers of bpf(2) that are used here.
    private enum Command: CInt {
        case load = 5
        case attach = 8
        case openByID = 13
        case info = 15
        case query = 16
    }

    private static let programType: UInt64 = 15
    private static let attachType: UInt64 = 6
    private static let allowMulti: UInt64 = 2
    private static let replace: UInt64 = 4

    /// Attaches `program`; an earlier one of ours is replaced in one step, so that at no time there is none.
    ///
    /// - Throws: `EPERM` without CAP_SYS_ADMIN over the machine, as in every user namespace.
    static func install(_ program: DeviceProgram, in directory: CgroupDirectory) throws(SystemCallError) {
        let loaded = try load(program)
        defer { loaded.closeQuietly() }
        let former = try ours(in: directory)
        defer { former?.closeQuietly() }
        // target_fd, attach_bpf_fd; attach_type, attach_flags; replace_bpf_fd
        var attributes: [UInt64] = [
            UInt64(directory.descriptor.rawValue) | UInt64(loaded.rawValue) << 32,
            attachType | (allowMulti | (former == nil ? 0 : replace)) << 32,
            UInt64(former?.rawValue ?? 0),
        ]
        try call(.attach, "device program to '\(directory.path)'", &attributes)
    }

    private static func load(_ program: DeviceProgram) throws(SystemCallError) -> FileDescriptor {
        let instructions = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: program.instructions.count)
        defer { instructions.deallocate() }
        _ = instructions.initialize(from: program.instructions)
        let license = strdup("GPL")
        defer { free(license) }
        // prog_type, insn_cnt; insns; license; log_level, log_size; log_buf; kern_version, prog_flags; prog_name
        var attributes: [UInt64] = [
            programType | UInt64(instructions.count) << 32, address(instructions.baseAddress), address(license), 0, 0,
            0,
            0, 0,
        ]
        for (index, byte) in name.enumerated() { attributes[6 + index / 8] |= UInt64(byte) << (UInt64(index % 8) * 8) }
        return FileDescriptor(rawValue: try call(.load, "device program", &attributes))
    }

    /// The program of ours that is attached; the caller closes it.
    private static func ours(in directory: CgroupDirectory) throws(SystemCallError) -> FileDescriptor? {
        let identifiers = UnsafeMutableBufferPointer<UInt32>.allocate(capacity: 64)  // the kernel's own limit
        defer { identifiers.deallocate() }
        // target_fd, attach_type; query_flags, attach_flags; prog_ids; prog_cnt
        var attributes: [UInt64] = [
            UInt64(directory.descriptor.rawValue) | attachType << 32, 0, address(identifiers.baseAddress),
            UInt64(identifiers.count),
        ]
        try call(.query, "device programs of '\(directory.path)'", &attributes)
        let count = Int(UInt32(truncatingIfNeeded: attributes[3]))
        for identifier in identifiers.prefix(count) {
            var attributes = [UInt64(identifier), 0]
            let program = FileDescriptor(rawValue: try call(.openByID, "\(identifier)", &attributes))
            if try isOurs(program) { return program }
            program.closeQuietly()
        }
        return nil
    }

    private static func isOurs(_ program: FileDescriptor) throws(SystemCallError) -> Bool {
        // The name is at byte 64 of `struct bpf_prog_info`.
        let info = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 80)
        defer { info.deallocate() }
        info.initialize(repeating: 0)
        // bpf_fd, info_len; info
        var attributes = [UInt64(program.rawValue) | UInt64(info.count) << 32, address(info.baseAddress)]
        try call(.info, "device program", &attributes)
        return info[64...].starts(with: name)
    }

    private static func address(_ pointer: UnsafeMutableRawPointer?) -> UInt64 { UInt64(UInt(bitPattern: pointer)) }

    @discardableResult
    private static func call(
        _ command: Command, _ subject: String, _ attributes: inout [UInt64]
    ) throws(SystemCallError) -> CInt {
        try check("bpf", subject) {
            attributes.withUnsafeMutableBytes { apus_bpf(command.rawValue, $0.baseAddress, UInt32($0.count)) }
        }
    }
}
