/// What is asked of CRIU, and what it answers, by the numbers of its images/rpc.proto.
enum CriuMessages {
    enum Kind: Int64 {
        case dump = 1
        case restore = 2
        case preDump = 4
        case notify = 6
        case featureCheck = 9
    }

    static func request(_ kind: Kind, _ options: CriuRequestOptions) -> [UInt8] {
        var message = ProtocolBuffer()
        message.add(1, kind.rawValue)
        message.add(2, options.message)
        return message.bytes
    }

    /// What CRIU waits for after each notification.
    static func acknowledgement(_ success: Bool) -> [UInt8] {
        var message = ProtocolBuffer()
        message.add(1, Kind.notify.rawValue)
        message.add(3, success)
        return message.bytes
    }

    /// Asks whether the kernel can do what `feature` stands for.
    static func question(_ feature: CriuFeature) -> [UInt8] {
        var features = ProtocolBuffer()
        features.add(feature.rawValue, true)
        var message = ProtocolBuffer()
        message.add(1, Kind.featureCheck.rawValue)
        message.add(5, features)
        return message.bytes
    }
}

enum CriuFeature: UInt64 {
    /// Which pages were written to since the last look.
    case memoryTracking = 1
    case lazyPages = 2
}

/// `criu_opts`, field by field.
struct CriuRequestOptions {
    enum Field: UInt64 {
        case imagesDirectory = 1
        case pid = 2
        case leaveRunning = 3
        case externalSockets = 4
        case tcpEstablished = 5
        case evasiveDevices = 6
        case shellJob = 7
        case fileLocks = 8
        case logLevel = 9
        case logFile = 10
        case pageServer = 11
        case notifies = 12
        case root = 13
        case parentImages = 14
        case tracksMemory = 15
        case autoDedup = 16
        case workDirectory = 17
        case linkRemap = 18
        case externalMount = 23
        case managesCgroups = 24
        case cgroupRoot = 25
        case restoresSibling = 26
        case inheritedDescriptor = 27
        case cgroupsMode = 34
        case external = 37
        case emptyNamespaces = 38
        case joinedNamespace = 39
        case frozenCgroup = 44
        case tcpSkipInFlight = 46
        case lazyPages = 48
        case orphanTerminals = 50
        case configFile = 51
        case lsmProfile = 53
        case lsmMountContext = 63
    }

    private(set) var message = ProtocolBuffer()

    mutating func set(_ field: Field, _ number: Int) { message.add(field.rawValue, Int64(number)) }

    mutating func set(_ field: Field, _ flag: Bool) { message.add(field.rawValue, flag) }

    mutating func set(_ field: Field, _ text: String) { message.add(field.rawValue, text) }

    /// One of CRIU's pairs: key and value, controller and path, namespace and file.
    mutating func add(_ field: Field, _ first: String, _ second: String) {
        var pair = ProtocolBuffer()
        pair.add(1, first)
        pair.add(2, second)
        message.add(field.rawValue, pair)
    }

    mutating func add(_ field: Field, _ first: String, _ second: Int) {
        var pair = ProtocolBuffer()
        pair.add(1, first)
        pair.add(2, Int64(second))
        message.add(field.rawValue, pair)
    }
}

/// `criu_resp`.
struct CriuAnswer {
    private let fields: ProtocolFields

    init?(_ bytes: ArraySlice<UInt8>) {
        guard let fields = ProtocolFields(bytes) else { return nil }
        self.fields = fields
    }

    var kind: CriuMessages.Kind? { fields.number(1).flatMap { CriuMessages.Kind(rawValue: $0) } }
    var isSuccess: Bool { fields.number(2) == 1 }
    /// What went wrong first, where it says so.
    var message: String? { fields.text(9) }

    func has(_ feature: CriuFeature) -> Bool { fields.message(8)?.number(feature.rawValue) == 1 }

    /// The point that a dump or a restore has come to: `post-restore`.
    var notification: (name: String, pid: Int32?)? {
        guard kind == .notify, let notice = fields.message(5), let name = notice.text(1) else { return nil }
        return (name, notice.number(2).flatMap { Int32(exactly: $0) })
    }
}
