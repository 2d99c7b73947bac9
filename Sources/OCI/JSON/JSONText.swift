/// A value in JSON as it stands, for what is passed on without being understood.
package struct JSONText: JSONValue, Hashable, Sendable {
    package let bytes: [UInt8]

    /// - Parameter bytes: One value, which is not looked at.
    package init(unchecked bytes: [UInt8]) { self.bytes = bytes }

    /// - Parameter value: What it is to say.
    package init(_ value: some JSONValue) {
        let fields = JSONFields()
        value.write(to: fields)
        bytes = fields.output
    }

    package static func read(from fields: JSONFields, at place: JSONPlace) -> JSONText? {
        let node = place.document.nodes[place.index]
        let quote = node.kind == .string ? 1 : 0  // a node of a string has neither of its quotes
        return JSONText(
            unchecked: Array(place.document.bytes[(Int(node.start) - quote)..<(Int(node.end) + quote)]))
    }

    package func write(to fields: JSONFields) { fields.output += bytes }
}

/// An object of which only the names are understood.
package struct JSONObject: JSONMappable {
    package var members: [String: JSONText] = [:]

    package init() {}

    package init(members: [String: JSONText]) { self.members = members }

    /// Nothing: all fields are members.
    package mutating func map(_ fields: JSONFields) {}

    package static func read(from fields: JSONFields, at place: JSONPlace) -> JSONObject? {
        [String: JSONText].read(from: fields, at: place).map { JSONObject(members: $0) }
    }

    package func write(to fields: JSONFields) { members.write(to: fields) }
}
