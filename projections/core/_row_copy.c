/* How do a batch's rows become bytes, quickly?
 *
 * What `copying` and `arrays` say in Python, said in C: the body of a binary COPY, and one column
 * as a binary array. Those modules say why; they do without this one where it was not built, and
 * tests hold both to the same bytes.
 */
#include "_rows.h"

/* ---- values, each with its length before it ---- */

static bool put_sized(Buffer *to, const char *data, Py_ssize_t size) {
    if (size > INT32_MAX)
        return beyond("lengths");
    return put_number(to, (uint64_t)size, 4) && put(to, data, size);
}

static bool put_integer(Buffer *to, Kind kind, PyObject *value) {
    if (!PyLong_Check(value))
        return misfit(KNOWN[kind].name, value);
    int size = kind == BIGINT ? 8 : kind == INT ? 4 : 2, over;
    long long most = kind == BIGINT ? INT64_MAX : kind == INT ? INT32_MAX : INT16_MAX;
    long long number = PyLong_AsLongLongAndOverflow(value, &over);
    if (over || number > most || number < -most - 1)
        return beyond(KNOWN[kind].name);
    if (number == -1 && PyErr_Occurred())
        return false;
    return put_number(to, (uint64_t)size, 4) && put_number(to, (uint64_t)number, size);
}

static bool put_double(Buffer *to, PyObject *value) {
    /* an int may stand for it, but nothing else that has a __float__: no Python code runs here */
    double number = PyFloat_Check(value) ? PyFloat_AS_DOUBLE(value) : PyLong_AsDouble(value);
    char packed[8];
    if ((number == -1.0 && PyErr_Occurred()) || PyFloat_Pack8(number, packed, 0) < 0)
        return false;
    return put_sized(to, packed, 8);
}

static bool put_scalar(Buffer *to, Kind kind, PyObject *value) {
    Py_ssize_t size = 16;
    const char *data;
    switch (kind) {
    case UUID: case TEXT:
        data = kind == UUID ? uuid_of(value) : utf8_of(value, &size);
        return data != NULL && put_sized(to, data, size);
    case BYTEA:
        if (!PyBytes_Check(value))
            return misfit("bytea", value);
        return put_sized(to, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value));
    case BOOLEAN:
        if (!PyBool_Check(value))
            return misfit("boolean", value);
        return put_sized(to, value == Py_True ? "\1" : "\0", 1);
    case DOUBLE:
        return put_double(to, value);
    default:
        return put_integer(to, kind, value);
    }
}

/* Postgres' binary array: dimensions, whether nulls are in it, element type, count, first index. */
static bool put_array(Buffer *to, Kind kind, PyObject *values, bool nulls) {
    PyObject *held = PySequence_Tuple(values);
    if (held == NULL)
        return false;
    Py_ssize_t count = PyTuple_GET_SIZE(held), flag_at = to->used + 4;
    bool whole = (count <= INT32_MAX || beyond("lengths")) && put_number(to, count > 0, 4)
                 && put_number(to, 0, 4) && put_number(to, KNOWN[kind].oid, 4);
    if (count > 0)
        whole = whole && put_number(to, (uint64_t)count, 4) && put_number(to, 1, 4);
    for (Py_ssize_t i = 0; i < count && whole; i++) {
        bool null = nulls && PyTuple_GET_ITEM(held, i) == Py_None;
        if (null)
            write_number(PyBytes_AS_STRING(to->bytes) + flag_at, 1, 4);
        whole = null ? put_number(to, UINT32_MAX, 4)
                     : put_scalar(to, kind, PyTuple_GET_ITEM(held, i));
    }
    Py_DECREF(held);
    return whole;
}

static bool put_value(Buffer *to, unsigned char kind, PyObject *value) {
    if (value == Py_None)
        return put_number(to, UINT32_MAX, 4);
    if (!(kind & LIST))
        return put_scalar(to, (Kind)kind, value);
    Py_ssize_t at = to->used;
    if (!put_number(to, 0, 4) || !put_array(to, (Kind)(kind & ~LIST), value, false))
        return false;
    Py_ssize_t size = to->used - at - 4;
    write_number(PyBytes_AS_STRING(to->bytes) + at, (uint64_t)size, 4);
    return size <= INT32_MAX || beyond("lengths");
}

static PyObject *copy(PyObject *self, PyObject *rows) {
    const Plan plan = plan_of(self);
    Buffer to;
    PyObject *row, *each = PyObject_GetIter(rows);
    if (each == NULL)
        return NULL;
    /* the signature, no flags, nothing more in the header */
    bool whole = begin(&to) && put(&to, "PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", 19);
    while (whole && (row = next_row(&plan, each)) != NULL) {
        whole = put_number(&to, (uint64_t)plan.count, 2);
        for (Py_ssize_t i = 0; i < plan.count && whole; i++)
            whole = put_value(&to, plan.kinds[i], PyTuple_GET_ITEM(row, i));
        Py_DECREF(row);
    }
    Py_DECREF(each);
    return end(&to, whole && !PyErr_Occurred() && put(&to, "\xff\xff", 2));
}

static PyMethodDef COPY = {"copy", copy, METH_O, NULL};

static PyObject *copier(PyObject *Py_UNUSED(module), PyObject *types) {
    return bound(&COPY, types, 0, Py_None, Py_None);
}

static PyObject *array(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *type, *values;
    Buffer to;
    if (!PyArg_ParseTuple(args, "OO:array", &type, &values))
        return NULL;
    int kind = kind_of(type);
    if (kind < 0 || !packs(kind, type, false) || !begin(&to))
        return NULL;
    return end(&to, put_array(&to, (Kind)kind, values, true));
}

static PyMethodDef FUNCTIONS[] = {
    {"copier", copier, METH_O, "A function from rows of these types to the body of a COPY."},
    {"array", array, METH_VARARGS, "One column's values as a binary array."},
    {NULL, NULL, 0, NULL},
};
static PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, .m_name = "_row_copy", .m_methods = FUNCTIONS,
    .m_slots = (PyModuleDef_Slot[]){{0, NULL}}, /* it keeps nothing: made anew wherever asked for */
};

PyMODINIT_FUNC PyInit__row_copy(void) { return PyModuleDef_Init(&MODULE); }
