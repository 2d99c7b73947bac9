public import Linux

/// Mounts as `-v`, `--mount` and `--tmpfs` write them.
public enum MountSyntax {
    private static let propagations: [String] = [
        "private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable",
    ]
    private static let attributes: [String] = [
        "exec", "noexec", "suid", "nosuid", "dev", "nodev", "atime", "noatime", "diratime", "nodiratime", "relatime",
        "norelatime", "strictatime", "nostrictatime", "sync", "async", "dirsync", "mand", "nomand", "nosymfollow",
        "symfollow",
    ]
    private static let tmpfsKeys: [String] = ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "huge", "mpol"]

    /// Reads `-v SOURCE:DESTINATION[:OPTIONS]`, or a destination alone for a volume that goes with the container.
    public static func volume(_ text: String, _ surroundings: Surroundings) throws(Failure) -> MountRequest {
        let parts = text.parts(between: ":")
        guard parts.count <= 3, !parts.contains("") else {
            throw Values.failure(text, "not a volume", remedy: "give SOURCE:DESTINATION[:OPTIONS]")
        }
        let target = try destination(parts.count == 1 ? parts[0] : parts[1], in: text)
        guard parts.count > 1 else { return MountRequest(kind: .volume, destination: target) }
        var mount = try source(parts[0], destination: target, in: text, surroundings)
        for option in parts.count > 2 ? parts[2].parts(between: ",") : [] where !option.isEmpty {
            try apply(option, to: &mount, in: text)
        }
        return mount
    }

    private static func source(
        _ source: String, destination: String, in text: String, _ surroundings: Surroundings
    ) throws(Failure) -> MountRequest {
        if isPath(source) {
            return MountRequest(kind: .bind, source: surroundings.absolute(source), destination: destination)
        }
        try checkVolumeName(source, in: text)
        return MountRequest(kind: .volume, source: source, destination: destination)
    }

    /// Whether the source of a mount is a path from the root or, as Docker has it, from here: `./a`, `..`.
    private static func isPath(_ source: String) -> Bool { source.isAbsolutePath || source.hasBytes(ofPrefix: ".") }

    private static func checkVolumeName(_ name: String, in text: String) throws(Failure) {
        guard Names.isValid(name) else {
            throw Values.failure(
                text, "'\(name)' is neither an absolute path nor the name of a volume",
                remedy: name.utf8.contains(UInt8(ascii: "/")) ? "write './\(name)' for a path from here" : nil)
        }
    }

    private static func apply(_ option: String, to mount: inout MountRequest, in text: String) throws(Failure) {
        switch option {
        case "ro", "readonly": mount.readOnly = true
        case "rw": mount.readOnly = false
        case "bind": mount.recursive = false
        case "z", "Z", "cached", "delegated", "consistent", "default", "nocopy", "rbind": break
        case _ where propagations.contains(option): mount.propagation = option
        case _ where attributes.contains(option) || isIDMap(option): mount.options.append(option)
        case "U", "O", "copy":
            throw Values.failure(text, "the option '\(option)' is not available")
        default:
            throw Values.failure(text, "unknown option '\(option)'")
        }
    }

    /// Whether `option` maps IDs: `idmap`, `ridmap`, or one of them with maps.
    private static func isIDMap(_ option: String) -> Bool {
        let name = option.prefix { $0 != "=" }
        return name == "idmap" || name == "ridmap"
    }

    /// Checks and cleans the place of a mount in the container.
    public static func destination(_ path: String, in text: String) throws(Failure) -> String {
        guard path.isAbsolutePath else {
            throw Values.failure(text, "'\(path)' is not an absolute path in the container")
        }
        // Not `joined`, nor a substring appended: their first use looks up a conformance in the whole executable (50 µs).
        var clean = ""
        for part in path.parts(between: "/") where !part.isEmpty && part != "." {
            if part == ".." { throw Values.failure(text, "'..' in a path in the container") }
            clean += "/"
            clean += part
        }
        if clean.isEmpty { throw Values.failure(text, "a mount onto '/' would hide the root file system") }
        return clean
    }

    /// Reads `--tmpfs DESTINATION[:OPTIONS]`.
    public static func tmpfs(_ text: String) throws(Failure) -> MountRequest {
        let parts = text.parts(between: ":", maxSplits: 1)
        var mount = MountRequest(kind: .tmpfs, destination: try destination(parts[0], in: text))
        for option in parts.count > 1 ? parts[1].parts(between: ",") : [] where !option.isEmpty {
            try applyToTmpfs(option, to: &mount, in: text)
        }
        return mount
    }

    private static func applyToTmpfs(
        _ option: String, to mount: inout MountRequest, in text: String
    ) throws(Failure) {
        let key = String(option.prefix { $0 != "=" })
        if option == "ro" || option == "rw" {
            mount.readOnly = option == "ro"
        } else if propagations.contains(option) {
            mount.propagation = option
        } else if attributes.contains(option) || (tmpfsKeys.contains(key) && option.utf8.count > key.utf8.count + 1) {
            mount.options.append(option)
        } else {
            throw Values.failure(text, "unknown option '\(option)'")
        }
    }

    /// Reads `--mount type=bind,source=…,target=…`, in Docker's keys.
    public static func mount(_ text: String, _ surroundings: Surroundings) throws(Failure) -> MountRequest {
        var mount = MountRequest(kind: .volume, destination: "")
        var used: [String] = []
        let fields = try commaSeparated(text)
        for field in fields {
            let (key, value) = try Assignments.split(field)
            if key == "type" {
                guard let value, let kind = MountRequest.Kind(rawValue: value) else {
                    throw Values.failure(text, "unknown type '\(value ?? "")'", remedy: "give bind, volume or tmpfs")
                }
                mount.kind = kind
            }
        }
        for field in fields {
            let (key, value) = try Assignments.split(field)
            try apply(key, value, to: &mount, in: text)
            used.append(key)
        }
        try check(mount, keys: used, in: text)
        if mount.kind == .bind { mount.source = surroundings.absolute(mount.source) }
        return mount
    }

    private static func apply(
        _ key: String, _ value: String?, to mount: inout MountRequest, in text: String
    ) throws(Failure) {
        switch key {
        case "type", "consistency", "relabel", "volume-nocopy", "bind-create-src": break
        case "source", "src": mount.source = try required(value, key, text)
        case "target", "dst", "destination": mount.destination = try destination(required(value, key, text), in: text)
        case "idmap", "ridmap": mount.options.append(field(key, value))
        case "readonly", "ro": mount.readOnly = try boolean(value, key, text)
        case "rw": mount.readOnly = try !boolean(value, key, text)
        case "bind-propagation":
            let propagation = try required(value, key, text)
            guard propagations.contains(propagation) else {
                throw Values.failure(text, "unknown propagation '\(propagation)'")
            }
            mount.propagation = propagation
        case "bind-nonrecursive": mount.recursive = try !boolean(value, key, text)
        case "bind-recursive": try applyRecursion(required(value, key, text), to: &mount, in: text)
        case "tmpfs-size":
            let size = try required(value, key, text)
            let bytes = try nested(text, key) { () throws(Failure) in try Values.size(size) }
            mount.options.append("size=\(bytes)")
        case "tmpfs-mode":
            let mode = try required(value, key, text)
            guard let number = UInt32(mode, radix: 8), number <= 0o7777 else {
                throw Values.failure(text, "'\(mode)' is not a mode in octal")
            }
            mount.options.append("mode=\(String(number, radix: 8))")
        case "volume-driver" where value == "local": break
        case "volume-driver", "volume-opt", "volume-label", "volume-subpath", "image-subpath":
            throw Values.failure(text, "'\(key)' is not available")
        default:
            throw Values.failure(text, "unknown key '\(key)'")
        }
    }

    private static func field(_ key: String, _ value: String?) -> String { value.map { "\(key)=\($0)" } ?? key }

    private static func applyRecursion(_ value: String, to mount: inout MountRequest, in text: String) throws(Failure) {
        switch value {
        case "enabled", "readonly": (mount.recursive, mount.recursiveReadOnly) = (true, true)
        case "writable": (mount.recursive, mount.recursiveReadOnly) = (true, false)
        case "disabled": mount.recursive = false
        default: throw Values.failure(text, "'bind-recursive' is none of enabled, disabled, writable, readonly")
        }
    }

    private static func check(_ mount: MountRequest, keys: [String], in text: String) throws(Failure) {
        if mount.destination.isEmpty { throw Values.failure(text, "no target") }
        for key in keys {
            for kind in ["bind", "tmpfs", "volume"] where key.hasPrefix("\(kind)-") && mount.kind.rawValue != kind {
                throw Values.failure(text, "'\(key)' does not go with type=\(mount.kind.rawValue)")
            }
        }
        switch mount.kind {
        case .bind where mount.source.isEmpty: throw Values.failure(text, "no source")
        case .bind where !isPath(mount.source):
            throw Values.failure(
                text, "'\(mount.source)' is not an absolute path",
                remedy: "write './\(mount.source)' for a path from here")
        case .tmpfs where !mount.source.isEmpty: throw Values.failure(text, "a tmpfs has no source")
        case .volume where !mount.source.isEmpty && !Names.isValid(mount.source):
            throw Values.failure(
                text, "'\(mount.source)' is not the name of a volume", remedy: "give type=bind for a path")
        default: return
        }
    }

    private static func required(_ value: String?, _ key: String, _ text: String) throws(Failure) -> String {
        guard let value, !value.isEmpty else { throw Values.failure(text, "'\(key)' without a value") }
        return value
    }

    private static func boolean(_ value: String?, _ key: String, _ text: String) throws(Failure) -> Bool {
        guard let value else { return true }
        return try nested(text, key) { () throws(Failure) in try Values.boolean(value) }
    }

    /// Names the key in whose value `body` found something wrong.
    private static func nested<T>(
        _ text: String, _ key: String, _ body: () throws(Failure) -> T
    ) throws(Failure) -> T {
        do {
            return try body()
        } catch {
            throw Values.failure(text, "\(key): \(error.subject): \(error.reason)", remedy: error.remedy)
        }
    }

    /// Splits at commas, except in a field that is in double quotes (a doubled quote in it stands for one).
    static func commaSeparated(_ text: String) throws(Failure) -> [String] {
        guard text.utf8.contains(UInt8(ascii: "\"")) else {
            return text.parts(between: ",")
        }
        var fields = [""]
        var quoted = false
        var closed = false
        for scalar in text.unicodeScalars {
            if scalar == "\"" {
                if closed { fields[fields.count - 1].append("\"") }
                quoted.toggle()
                closed = !quoted
                continue
            }
            closed = false
            if scalar == ",", !quoted {
                fields.append("")
            } else {
                fields[fields.count - 1].unicodeScalars.append(scalar)
            }
        }
        if quoted { throw Values.failure(text, "a quote that does not end") }
        return fields
    }

    /// Reads `--device HOST[:CONTAINER[:rwm]]`.
    public static func device(_ text: String) throws(Failure) -> DeviceRequest {
        let parts = text.parts(between: ":")
        guard parts.count <= 3, parts[0].isAbsolutePath else {
            throw Values.failure(text, "not a device", remedy: "give HOST[:CONTAINER[:rwm]] with absolute paths")
        }
        var request = DeviceRequest(hostPath: parts[0], containerPath: parts[0])
        for part in parts.dropFirst() {
            if part.isAbsolutePath {
                request.containerPath = part
            } else if !part.isEmpty, part.utf8.allSatisfy({ "rwm".utf8.contains($0) }) {
                request.access = part
            } else {
                throw Values.failure(text, "'\(part)' is neither an absolute path nor of r, w and m")
            }
        }
        request.containerPath = try destination(request.containerPath, in: text)
        return request
    }

    /// Reads a rate such as `/dev/sda:1mb`.
    ///
    /// - Parameter bytes: Whether the rate is a size rather than a plain number.
    public static func deviceRate(_ text: String, bytes: Bool) throws(Failure) -> DeviceRate {
        guard let (path, number) = text.sides(ofLast: ":"), path.isAbsolutePath else {
            throw Values.failure(
                text, "not a rate", remedy: "give DEVICE:RATE such as /dev/sda:\(bytes ? "1mb" : "1000")")
        }
        let rate = try nested(text, "rate") { () throws(Failure) in
            bytes ? UInt64(try Values.positiveSize(number)) : try Values.integer(number, in: 1...UInt64.max)
        }
        return DeviceRate(path: path, rate: rate)
    }
}
