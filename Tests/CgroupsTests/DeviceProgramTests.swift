import Glibc
import Linux
import OCI
import SystemPackage
import Testing

@testable import Cgroups

/// What a program says, as the kernel would run it.
private func allows(_ rules: [Spec.DeviceRule], _ type: String, _ major: UInt32, _ minor: UInt32, _ access: String)
    throws -> Bool
{
    let program = DeviceProgram(try rules.map { try DeviceEntry($0) })
    let bits = UInt32(try DeviceAccess(access).rawValue)
    return try interpret(program, (bits << 16) | (type == "b" ? 1 : 2), major, minor)
}

private func interpret(_ program: DeviceProgram, _ word: UInt32, _ major: UInt32, _ minor: UInt32) throws -> Bool {
    var registers = [UInt32](repeating: 0xdead, count: 11)
    var index = 0
    while true {
        let instruction = try #require(program.instructions.indices.contains(index) ? program.instructions[index] : nil)
        let target = Int(instruction >> 8 & 15)
        let source = Int(instruction >> 12 & 15)
        let offset = Int(Int16(truncatingIfNeeded: instruction >> 16))
        let value = UInt32(truncatingIfNeeded: instruction >> 32)
        index += 1
        switch UInt8(truncatingIfNeeded: instruction) {
        case 0x61: registers[target] = [0: word, 4: major, 8: minor][offset]!
        case 0xb4: registers[target] = value
        case 0xbc: registers[target] = registers[source]
        case 0x54: registers[target] &= value
        case 0x74: registers[target] >>= value
        case 0x56: if registers[target] != value { index += offset }
        case 0x16: if registers[target] == value { index += offset }
        case 0x95: return registers[0] != 0
        case let code: Issue.record("unknown instruction \(code)")
        }
    }
}

@Suite struct DeviceProgramTests {
    private let denied = Spec.DeviceRule(allow: false)

    @Test func `what no rule names is denied`() throws {
        #expect(try !allows([], "c", 1, 3, "r"))
        #expect(try !allows([.init(allow: true, type: "c", major: 1, minor: 3)], "c", 1, 5, "r"))
        #expect(try !allows([.init(allow: true, type: "c", major: 1, minor: 3)], "b", 1, 3, "r"))
    }

    @Test func `the last rule decides`() throws {
        let rules = [
            denied, Spec.DeviceRule(allow: true, type: "c", major: 1),
            .init(allow: false, type: "c", major: 1, minor: 5),
        ]
        #expect(try allows(rules, "c", 1, 3, "rwm"))
        #expect(try !allows(rules, "c", 1, 5, "r"))
        #expect(try allows(rules + [.init(allow: true)], "c", 1, 5, "rwm"))
        #expect(try !allows(rules + [denied], "c", 1, 3, "r"))
    }

    @Test func `kinds of access may come from several rules`() throws {
        let rules = [
            denied, Spec.DeviceRule(allow: true, type: "c", major: 1, minor: 3, access: "r"),
            .init(allow: true, type: "c", access: "m"),
        ]
        #expect(try allows(rules, "c", 1, 3, "r"))
        #expect(try allows(rules, "c", 1, 3, "rm"))
        #expect(try !allows(rules, "c", 1, 3, "rw"))
        #expect(try allows(rules, "c", 9, 9, "m"))
        #expect(try !allows(rules, "b", 9, 9, "m"))
    }

    @Test func `one kind of access may be denied alone`() throws {
        let rules = [
            Spec.DeviceRule(allow: true), .init(allow: false, access: "m"),
            .init(allow: false, type: "b", major: 8, access: "w"),
        ]
        #expect(try !allows(rules, "c", 1, 3, "m"))
        #expect(try allows(rules, "c", 1, 3, "rw"))
        #expect(try allows(rules, "b", 8, 0, "r"))
        #expect(try !allows(rules, "b", 8, 0, "rw"))
    }

    @Test(arguments: [
        Spec.DeviceRule(allow: true, type: "x"), Spec.DeviceRule(allow: true, type: "c", access: "rx"),
        Spec.DeviceRule(allow: true, type: "c", major: 1 << 40),
    ])
    func `a rule that names nothing is refused`(rule: Spec.DeviceRule) {
        #expect(throws: DeviceEntry.Invalid.self) { try DeviceEntry(rule) }
    }

    @Test func `what the list of v1 would not heed is refused`() throws {
        func unheeded(_ rules: [Spec.DeviceRule]) throws -> String? {
            DeviceEntry.unheeded(DeviceEntry.forV1(try rules.map { try DeviceEntry($0) }))?.text
        }
        let all = Spec.DeviceRule(allow: true, type: "c", major: 1)
        #expect(try unheeded([denied, all, .init(allow: false, type: "c", major: 1, minor: 5)]) == "c 1:5 rwm")
        #expect(try unheeded([denied, all, .init(allow: false, type: "c", major: 1)]) == nil)
        #expect(try unheeded([denied, all, .init(allow: false, type: "c", major: 5, minor: 1)]) == nil)
        #expect(try unheeded(Spec.DeviceRule.forContainer([.init(allow: true)])) == nil)
        #expect(
            try unheeded(Spec.DeviceRule.forContainer([.init(allow: false), .init(allow: true, type: "b", major: 8)]))
                == nil)
    }

    @Test func `access to all of one kind is two rules for v1`() throws {
        let entries = DeviceEntry.forV1([try DeviceEntry(.init(allow: true, major: 1, minor: 3, access: "r"))])
        #expect(entries.map(\.text) == ["c 1:3 r", "b 1:3 r"])
    }
}

extension KernelTests {
    /// The program in the kernel; where v1 is in use, in the v2 hierarchy that may be mounted beside it.
    @Suite(Requirement.devicePrograms) struct DevicePrograms {
        /// Runs `script` in a cgroup with these rules, after those before them.
        private func run(_ script: String, _ rules: [[Spec.DeviceRule]]) throws -> CInt {
            let path = "\(Requirement.unified)/\(TestCgroup.newID())"
            try FileDescriptor.workingDirectory.makeDirectory(path)
            defer { rmdir(path) }
            let directory = try CgroupDirectory(path)
            for rules in rules {
                try DeviceFilter.install(DeviceProgram(try rules.map { try DeviceEntry($0) }), in: directory)
            }
            return try shell("echo 0 > \(path)/cgroup.procs && \(script)")
        }

        private func shell(_ script: String) throws -> CInt {
            let arguments: [String] = ["/bin/sh", "-c", script]
            var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
            defer { for word in words { free(word) } }
            var pid: pid_t = 0
            try #require(posix_spawn(&pid, "/bin/sh", nil, nil, &words, nil) == 0)
            var status: CInt = 0
            waitpid(pid, &status, 0)
            return status
        }

        @Test func `a container may use what every container has and nothing else`() throws {
            let rules = Spec.DeviceRule.forContainer([.init(allow: false)])
            #expect(try run("head -c 1 /dev/zero >/dev/null", [rules]) == 0)
            #expect(try run("exec 2>/dev/null; ! head -c 1 /dev/kmsg >/dev/null", [rules]) == 0)
            let more = Spec.DeviceRule.forContainer([.init(allow: true, type: "c", major: 1, minor: 11, access: "r")])
            #expect(try run("exec 2>/dev/null; : </dev/kmsg && ! true >/dev/kmsg", [more]) == 0)
        }

        @Test func `an update replaces the rules`() throws {
            let none = [Spec.DeviceRule(allow: false)]
            #expect(try run("exec 2>&-; ! true </dev/zero", [[.init(allow: true)], none]) == 0)
            #expect(try run(": </dev/zero", [none, [.init(allow: true)]]) == 0)
        }
    }
}

extension Requirement {
    static let unified = Hierarchies.version() == .v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified"
    static var devicePrograms: ConditionTrait {
        .enabled(
            if: geteuid() == 0 && FileSystem(at: unified) == .cgroup2 && access("\(unified)/cgroup.procs", W_OK) == 0,
            "needs root and a cgroup v2 hierarchy")
    }
}
