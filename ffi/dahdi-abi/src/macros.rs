//! Tables of the header, so that what a program uses and what the test compares cannot differ.

/// The name in C: prefix and name, unless it is given.
macro_rules! c_name {
    ($prefix:literal $name:ident) => {
        concat!($prefix, stringify!($name))
    };
    ($prefix:literal $name:ident $c_name:literal) => {
        $c_name
    };
}

/// `int` constants of one group, and a `TABLE` of them by their names in C.
macro_rules! constants {
    ($prefix:literal; $($(#[$doc:meta])* $name:ident $([$c_name:literal])? = $value:expr;)*) => {
        $($(#[$doc])* pub const $name: i32 = $value;)*

        /// Every constant of this group by its name in C.
        pub const TABLE: &[(&str, i32)] = &[$((c_name!($prefix $name $($c_name)?), $name)),*];
    };
}

/// Structs as C lays them out.
macro_rules! structs {
    ($(
        $(#[$doc:meta])*
        $name:ident[$repr:meta] = $c_name:literal, $size:literal {
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        #[$repr]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        const _: () = assert!(size_of::<$name>() == $size, $c_name);

        impl Default for $name {
            /// All octets zero.
            fn default() -> Self {
                bytemuck::Zeroable::zeroed()
            }
        }

        impl crate::Layout for $name {
            const C_NAME: &'static str = $c_name;
            const FIELDS: &'static [(&'static str, usize)] =
                &[$((stringify!($field), core::mem::offset_of!($name, $field))),*];
        }
    )*};
}
